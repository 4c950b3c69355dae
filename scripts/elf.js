'use strict';
// A minimal reader of ELF (64 bit, little endian): the libraries that a library requires and the symbols that
// it exports, so that the check of the package works without binutils.
const fs = require('node:fs');

const SHT = { SYMTAB: 2, DYNAMIC: 6, DYNSYM: 11, VERNEED: 0x6ffffffe };
const DT_NEEDED = 1n;
const STB_LOCAL = 0;
const STB_WEAK = 2;
const CPUS = new Map([
  [62, 'x64'],
  [183, 'arm64'],
]);

/**
 * @typedef {{ type: number, link: number, info: number, data: Buffer }} Section
 * @typedef {{ cpu: string, stripped: boolean, needed: string[], exported: string[],
 *   lacking: string[], versions: { library: string, name: string, symbols: string[] }[] }} Elf
 */

/** @param {string} file @returns {Elf} */
function readElf(file) {
  const bytes = fs.readFileSync(file);
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error(`${file} is no 64-bit little-endian ELF file`);
  }
  const sections = sectionsOf(bytes);
  const cpu = CPUS.get(bytes.readUInt16LE(0x12)) ?? 'unknown';
  const stripped = sectionOf(sections, SHT.SYMTAB) === undefined;
  return { cpu, stripped, needed: neededOf(sections), ...symbolsOf(sections) };
}

/** @param {Buffer} bytes @returns {Section[]} */
function sectionsOf(bytes) {
  const offset = Number(bytes.readBigUInt64LE(0x28));
  const [size, count] = [bytes.readUInt16LE(0x3a), bytes.readUInt16LE(0x3c)];
  return Array.from({ length: count }, (_, index) => {
    const header = bytes.subarray(offset + index * size);
    const [at, length] = [Number(header.readBigUInt64LE(0x18)), Number(header.readBigUInt64LE(0x20))];
    const type = header.readUInt32LE(4);
    return {
      type,
      link: header.readUInt32LE(0x28),
      info: header.readUInt32LE(0x2c),
      data: bytes.subarray(at, at + length),
    };
  });
}

/** @param {Section[]} sections @param {number} type */
function sectionOf(sections, type) {
  return sections.find((section) => section.type === type);
}

/** @param {Buffer} table @param {number} offset */
function stringAt(table, offset) {
  return table.toString('latin1', offset, table.indexOf(0, offset));
}

/** @param {Section[]} sections */
function neededOf(sections) {
  const dynamic = sectionOf(sections, SHT.DYNAMIC);
  const needed = [];
  for (let at = 0; dynamic && at < dynamic.data.length; at += 16) {
    if (dynamic.data.readBigInt64LE(at) === DT_NEEDED) {
      needed.push(stringAt(sections[dynamic.link].data, Number(dynamic.data.readBigUInt64LE(at + 8))));
    }
  }
  return needed;
}

/**
 * The required symbols, by library and version, and the exported ones.
 * @param {Section[]} sections
 */
function symbolsOf(sections) {
  const dynsym = sectionOf(sections, SHT.DYNSYM);
  if (!dynsym) return { versions: [], exported: [], lacking: [] };
  const names = sections[dynsym.link].data;
  const versions = versionsOf(sections);
  // .gnu.version has the number of the version of each dynamic symbol.
  const numbers = sections.find((section) => section.type === 0x6fffffff)?.data;
  const exported = [];
  const lacking = [];
  for (let index = 1; index * 24 < dynsym.data.length; index += 1) {
    const at = index * 24;
    // Linkers for arm64 keep the symbols of sections, which are local and have no name.
    const binding = dynsym.data[at + 4] >> 4;
    if (binding === STB_LOCAL) continue;
    const name = stringAt(names, dynsym.data.readUInt32LE(at));
    if (dynsym.data.readUInt16LE(at + 6) !== 0) exported.push(name);
    else {
      // A program loads without a weak symbol, and not all linkers keep it.
      if (binding !== STB_WEAK) lacking.push(name);
      if (numbers) versions.get(numbers.readUInt16LE(index * 2) & 0x7fff)?.symbols.push(name);
    }
  }
  return { versions: [...versions.values()], exported, lacking };
}

/** @param {Section[]} sections */
function versionsOf(sections) {
  /** @type {Map<number, { library: string, name: string, symbols: string[] }>} */
  const versions = new Map();
  const needs = sectionOf(sections, SHT.VERNEED);
  if (!needs) return versions;
  const names = sections[needs.link].data;
  for (let entry = 0, left = needs.info; left > 0; left -= 1) {
    const library = stringAt(names, needs.data.readUInt32LE(entry + 4));
    let at = entry + needs.data.readUInt32LE(entry + 8);
    for (let more = needs.data.readUInt16LE(entry + 2); more > 0; more -= 1) {
      const name = stringAt(names, needs.data.readUInt32LE(at + 8));
      versions.set(needs.data.readUInt16LE(at + 6), { library, name, symbols: [] });
      at += needs.data.readUInt32LE(at + 12);
    }
    entry += needs.data.readUInt32LE(entry + 12);
  }
  return versions;
}

module.exports = { readElf };
