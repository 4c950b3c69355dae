'use strict';
// A minimal reader of PE (64 bit): the libraries that a Windows library requires, and its exported symbols.

const CPUS = new Map([
  [0x8664, 'x64'],
  [0xaa64, 'arm64'],
]);

/** @param {Buffer} bytes */
function isPe(bytes) {
  return bytes.toString('latin1', 0, 2) === 'MZ';
}

/** @param {Buffer} bytes @returns {import('./inspect.js').Binary} */
function readPe(bytes) {
  const header = bytes.readUInt32LE(0x3c);
  const symbols = bytes.readUInt32LE(header + 12);
  const optional = header + 24;
  if (bytes.readUInt16LE(optional) !== 0x20b) throw new Error('this is no 64-bit library of Windows');
  const sections = optional + bytes.readUInt16LE(header + 20);
  const count = bytes.readUInt16LE(header + 6);
  /** Converts an address in memory into a position in the file. @param {number} address */
  const place = (address) => {
    for (let index = 0; index < count; index += 1) {
      const at = sections + index * 40;
      const start = bytes.readUInt32LE(at + 12);
      const size = Math.max(bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 16));
      if (address >= start && address < start + size) return address - start + bytes.readUInt32LE(at + 20);
    }
    throw new Error(`no section has the address ${address}`);
  };
  /** @param {number} address */
  const text = (address) => {
    const at = place(address);
    return bytes.toString('latin1', at, bytes.indexOf(0, at));
  };
  // The directories: exports, imports, and, the fourteenth, delayed imports.
  const directory = (/** @type {number} */ index) => bytes.readUInt32LE(optional + 112 + index * 8);

  const exported = [];
  if (directory(0) !== 0) {
    const at = place(directory(0));
    const names = place(bytes.readUInt32LE(at + 32));
    for (let index = 0; index < bytes.readUInt32LE(at + 24); index += 1)
      exported.push(text(bytes.readUInt32LE(names + index * 4)));
  }
  const needed = [];
  for (const [index, size, name] of [
    [1, 20, 12],
    [13, 32, 4],
  ]) {
    if (directory(index) === 0) continue;
    for (let at = place(directory(index)); bytes.readUInt32LE(at + name) !== 0; at += size)
      needed.push(text(bytes.readUInt32LE(at + name)));
  }
  const cpu = CPUS.get(bytes.readUInt16LE(header + 4)) ?? 'unknown';
  const major = bytes.readUInt16LE(optional + 48);
  const minor = bytes.readUInt16LE(optional + 50);
  return {
    os: 'win32',
    cpu,
    needed,
    exported,
    stripped: symbols === 0,
    lowest: `Windows ${major}.${minor}`,
    signed: false,
  };
}

module.exports = { isPe, readPe };
