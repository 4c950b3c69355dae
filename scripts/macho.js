'use strict';
// A minimal reader of Mach-O (64 bit, little endian, one architecture): the libraries that a macOS library
// requires, its exported symbols, and its signature; and what takes symbols out of the exported ones.
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
// The C++ operators new and delete, which zig links statically. They are weak: the loader replaces them by those of the
// system's C++ library, which every Node.js has loaded.
const OPERATOR = /^_Z(n[wa]|d[la])/;
const WEAK = 0x04;
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
  const exported = exportsOf(exportsTree(bytes))
    .filter(({ name, weak }) => !(weak && OPERATOR.test(name)))
    .map(({ name }) => name);
  const cpu = CPUS.get(bytes.readUInt32LE(4)) ?? 'unknown';
  const signed = unsignedPages(bytes).length === 0;
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

/** @param {Buffer} tree @param {number} node */
function nodeAt(tree, node) {
  const [size, start] = numberAt(tree, node);
  const branches = [];
  let at = start + size + 1;
  for (let left = tree[start + size]; left > 0; left -= 1) {
    const part = textAt(tree, at);
    const [child, end] = numberAt(tree, at + part.length + 1);
    branches.push({ part, child, bytes: tree.subarray(at, end) });
    at = end;
  }
  const weak = (numberAt(tree, start)[0] & WEAK) !== 0;
  return { branches, weak, symbol: size > 0, properties: tree.subarray(node, start + size), end: at };
}

/** @param {Buffer} tree @returns {{ name: string, weak: boolean }[]} */
function exportsOf(tree, node = 0, name = '') {
  const { branches, symbol, weak } = nodeAt(tree, node);
  const more = branches.flatMap(({ part, child }) => exportsOf(tree, child, name + part));
  return symbol ? [...more, { name: name.replace(/^_/, ''), weak }] : more;
}

/**
 * Takes symbols out of a tree, in place, as a node only gets smaller. False if nothing is left of it.
 * @param {Buffer} tree @param {(symbol: { name: string, weak: boolean }) => boolean} stays @returns {boolean}
 */
function prune(tree, stays, node = 0, name = '') {
  const { branches, symbol, weak, properties, end } = nodeAt(tree, node);
  const kept = branches.filter(({ part, child }) => prune(tree, stays, child, name + part));
  const keep = symbol && stays({ name: name.replace(/^_/, ''), weak });
  const head = keep ? properties : Buffer.from([0]);
  const content = Buffer.concat([head, Buffer.from([kept.length]), ...kept.map(({ bytes }) => bytes)]);
  content.copy(tree.fill(0, node, end), node);
  return keep || kept.length > 0;
}

/** A number of seven bits a byte, and where it ends. @param {Buffer} bytes @param {number} at */
function numberAt(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/**
 * Takes symbols out of the exported ones, which zig's linker can't be told, and signs again. Weak ones stay: the loader
 * looks for them.
 * @param {Buffer} bytes changed in place
 * @param {(name: string) => boolean} stays
 */
function hideExports(bytes, stays) {
  prune(exportsTree(bytes), ({ name, weak }) => weak || stays(name));
  for (const { hash, at } of unsignedPages(bytes)) hash.copy(bytes, at);
}

/**
 * The pages whose hash is not the one in the signature, with what it should be and its place; one without a place if
 * there is no signature.
 * @param {Buffer} bytes
 */
function unsignedPages(bytes) {
  const wrong = [];
  let signed = false;
  for (const { command, at } of commandsOf(bytes)) {
    if (command !== LC.CODE_SIGNATURE) continue;
    const signature = bytes.readUInt32LE(at + 8);
    for (let index = 0; index < bytes.readUInt32BE(signature + 8); index += 1) {
      const directory = signature + bytes.readUInt32BE(signature + 16 + index * 8);
      if (bytes.readUInt32BE(directory) !== CODE_DIRECTORY || bytes[directory + 37] !== SHA256) continue;
      signed = true;
      const [hashes, count, limit] = [16, 28, 32].map((offset) => bytes.readUInt32BE(directory + offset));
      const size = 2 ** bytes[directory + 39];
      for (let page = 0; page < count; page += 1) {
        const content = bytes.subarray(page * size, Math.min((page + 1) * size, limit));
        const hash = crypto.createHash('sha256').update(content).digest();
        const place = directory + hashes + page * 32;
        if (!hash.equals(bytes.subarray(place, place + 32))) wrong.push({ hash, at: place });
      }
    }
  }
  if (!signed) wrong.push({ hash: Buffer.alloc(0), at: 0 });
  return wrong;
}

/** @param {Buffer} bytes @param {number} at */
function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

/** @param {number} packed */
function version(packed) {
  return `${packed >>> 16}.${(packed >>> 8) & 0xff}`;
}

module.exports = { hideExports, isMachO, readMachO };
