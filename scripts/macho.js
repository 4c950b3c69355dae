'use strict';
// A minimal reader of Mach-O (64 bit, little endian, one architecture): the libraries that a macOS library
// requires, its exported symbols, and its signature.
const crypto = require('node:crypto');

const LC = {
  SYMTAB: 0x2,
  LOAD_DYLIB: 0xc,
  CODE_SIGNATURE: 0x1d,
  DYLD_INFO: 0x22,
  VERSION_MIN: 0x24,
  BUILD_VERSION: 0x32,
  EXPORTS_TRIE: 0x33,
};
const CPUS = new Map([
  [0x01000007, 'x64'],
  [0x0100000c, 'arm64'],
]);
const MAGIC = 0xfeedfacf;
// Of a signature: its parts, their table, and SHA-256.
const CODE_DIRECTORY = 0xfade0c02;
const SHA256 = 2;

/** @param {Buffer} bytes */
function isMachO(bytes) {
  return bytes.readUInt32LE(0) === MAGIC;
}

/** @param {Buffer} bytes */
function* commandsOf(bytes) {
  for (let left = bytes.readUInt32LE(16), at = 32; left > 0; left -= 1) {
    yield { command: bytes.readUInt32LE(at) & 0x7fffffff, at };
    at += bytes.readUInt32LE(at + 4);
  }
}

/** @param {Buffer} bytes @returns {import('./inspect.js').Binary} */
function readMachO(bytes) {
  /** @type {string[]} */
  const needed = [];
  let locals = 0;
  let lowest = 'unknown';
  for (const { command, at } of commandsOf(bytes)) {
    if (command === LC.LOAD_DYLIB) needed.push(textAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command === LC.VERSION_MIN) lowest = version(bytes.readUInt32LE(at + 8));
    if (command === LC.BUILD_VERSION) lowest = version(bytes.readUInt32LE(at + 12));
    if (command === LC.SYMTAB) locals = localsAt(bytes, at);
  }
  const exported = exportsOf(exportsTree(bytes));
  const cpu = CPUS.get(bytes.readUInt32LE(4)) ?? 'unknown';
  const signed = isSigned(bytes);
  // The linker itself leaves a few local symbols.
  return { os: 'darwin', cpu, needed, exported, stripped: locals < 16, lowest: `macOS ${lowest}`, signed };
}

/** How many symbols are only for debuggers. @param {Buffer} bytes @param {number} command */
function localsAt(bytes, command) {
  const [table, count] = [8, 12].map((offset) => bytes.readUInt32LE(command + offset));
  let locals = 0;
  for (let at = table; at < table + count * 16; at += 16) {
    const type = bytes[at + 4];
    const [debugging, undefinedHere] = [(type & 0xe0) !== 0, (type & 0x0e) === 0];
    const external = (type & 0x01) !== 0 && (type & 0x10) === 0;
    if (debugging || (!undefinedHere && !external)) locals += 1;
  }
  return locals;
}

/**
 * The tree of the symbols that the loader finds: each node has a symbol's properties, or none, and branches with parts of
 * names.
 * @param {Buffer} bytes
 */
function exportsTree(bytes) {
  for (const { command, at } of commandsOf(bytes)) {
    const place = command === LC.DYLD_INFO ? at + 40 : command === LC.EXPORTS_TRIE ? at + 8 : 0;
    const size = place > 0 ? bytes.readUInt32LE(place + 4) : 0;
    if (size > 0) return bytes.subarray(bytes.readUInt32LE(place)).subarray(0, size);
  }
  return Buffer.from([0, 0]);
}

/** @param {Buffer} tree @returns {string[]} */
function exportsOf(tree, node = 0, name = '') {
  const [size, start] = numberAt(tree, node);
  const names = size > 0 ? [name.replace(/^_/, '')] : [];
  let at = start + size + 1;
  for (let left = tree[start + size]; left > 0; left -= 1) {
    const part = textAt(tree, at);
    const [child, end] = numberAt(tree, at + part.length + 1);
    names.push(...exportsOf(tree, child, name + part));
    at = end;
  }
  return names;
}

/** A number of seven bits a byte, and where it ends. @param {Buffer} bytes @param {number} at */
function numberAt(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/** Whether there is a signature, and each page has the hash that it names. @param {Buffer} bytes */
function isSigned(bytes) {
  let signed = false;
  for (const { command, at } of commandsOf(bytes)) {
    if (command !== LC.CODE_SIGNATURE) continue;
    const signature = bytes.readUInt32LE(at + 8);
    for (let index = 0; index < bytes.readUInt32BE(signature + 8); index += 1) {
      const directory = signature + bytes.readUInt32BE(signature + 16 + index * 8);
      if (bytes.readUInt32BE(directory) !== CODE_DIRECTORY || bytes[directory + 37] !== SHA256) continue;
      if (!pagesHold(bytes, directory)) return false;
      signed = true;
    }
  }
  return signed;
}

/** Whether the pages have the hashes of this part of a signature. @param {Buffer} bytes @param {number} directory */
function pagesHold(bytes, directory) {
  const [hashes, count, limit] = [16, 28, 32].map((offset) => bytes.readUInt32BE(directory + offset));
  const size = 2 ** bytes[directory + 39];
  for (let page = 0; page < count; page += 1) {
    const content = bytes.subarray(page * size, Math.min((page + 1) * size, limit));
    const place = directory + hashes + page * 32;
    const hash = crypto.createHash('sha256').update(content).digest();
    if (!hash.equals(bytes.subarray(place, place + 32))) return false;
  }
  return count * size >= limit;
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
