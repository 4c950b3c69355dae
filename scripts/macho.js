'use strict';
// A minimal reader of Mach-O (64 bit, little endian, one architecture): the libraries that a macOS library
// requires, its exported symbols, and whether it is signed.

const LC = { SYMTAB: 0x2, LOAD_DYLIB: 0xc, CODE_SIGNATURE: 0x1d, VERSION_MIN: 0x24, BUILD_VERSION: 0x32 };
const CPUS = new Map([
  [0x01000007, 'x64'],
  [0x0100000c, 'arm64'],
]);
const MAGIC = 0xfeedfacf;

/** @param {Buffer} bytes */
function isMachO(bytes) {
  return bytes.readUInt32LE(0) === MAGIC;
}

/** @param {Buffer} bytes @returns {import('./inspect.js').Binary} */
function readMachO(bytes) {
  /** @type {string[]} */
  const needed = [];
  /** @type {string[]} */
  const exported = [];
  let locals = 0;
  let lowest = 'unknown';
  let signed = false;
  let at = 32;
  for (let left = bytes.readUInt32LE(16); left > 0; left -= 1) {
    const command = bytes.readUInt32LE(at) & 0x7fffffff;
    if (command === LC.LOAD_DYLIB) needed.push(textAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command === LC.CODE_SIGNATURE) signed = true;
    if (command === LC.VERSION_MIN) lowest = version(bytes.readUInt32LE(at + 8));
    if (command === LC.BUILD_VERSION) lowest = version(bytes.readUInt32LE(at + 12));
    if (command === LC.SYMTAB) {
      for (const { name, local } of symbolsAt(bytes, at)) {
        if (local) locals += 1;
        else exported.push(name.replace(/^_/, ''));
      }
    }
    at += bytes.readUInt32LE(at + 4);
  }
  const cpu = CPUS.get(bytes.readUInt32LE(4)) ?? 'unknown';
  // The linker itself leaves a few local symbols.
  return { os: 'darwin', cpu, needed, exported, stripped: locals < 16, lowest: `macOS ${lowest}`, signed };
}

/** The symbols that are defined here. @param {Buffer} bytes @param {number} command */
function symbolsAt(bytes, command) {
  const [table, count, strings] = [8, 12, 16].map((offset) => bytes.readUInt32LE(command + offset));
  const symbols = [];
  for (let index = 0; index < count; index += 1) {
    const at = table + index * 16;
    const type = bytes[at + 4];
    const [debugging, undefinedHere] = [(type & 0xe0) !== 0, (type & 0x0e) === 0];
    if (undefinedHere && !debugging) continue;
    const external = (type & 0x01) !== 0 && (type & 0x10) === 0 && !debugging;
    symbols.push({ name: textAt(bytes, strings + bytes.readUInt32LE(at)), local: !external });
  }
  return symbols;
}

/** @param {Buffer} bytes @param {number} at */
function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

/** @param {number} packed */
function version(packed) {
  return `${packed >>> 16}.${(packed >>> 8) & 0xff}`;
}

module.exports = { isMachO, readMachO };
