'use strict';
// The properties of a binary of any format, and which of them are faults in a published one.
const fs = require('node:fs');
const { readElf } = require('./elf.js');
const { isMachO, readMachO } = require('./macho.js');
const { isPe, readPe } = require('./pe.js');

// Libraries that are linked statically, or are not part of the system.
const BUILT_IN = /^lib(zmq|sodium|stdc\+\+|gcc_s|c\+\+|unwind)\b|^lib(zmq|sodium|stdc\+\+|gcc_s|winpthread)/;
// Symbols of libsodium, libzmq and C++: a shared library that lacks them links, but does not load.
const LINKED = /^(crypto_|sodium_|randombytes|zmq_|_Z)/;
// CentOS 7 has 2.17; Debian 10 and RHEL 8 have 2.28.
const HIGHEST_GLIBC = '2.28';
// MSVC compiles each file of libzmq separately, and no machine here has it.
const LARGEST = { win32: 4_194_304, others: 3_500_000 };
/** Only a binary that was not optimised across crates has this text: see `mark` in crates/zmq-sys. */
const APART = 'zmq-omdp was optimised crate by crate';

/**
 * @typedef {{ os: string, cpu: string, needed: string[], exported: string[], stripped: boolean, lowest:
 * string, signed: boolean, glibc?: string, lacking?: string[] }} Binary lowest: the minimum system, in words; glibc: its
 * version; lacking: the symbols that it expects of others
 */

/** @param {string} file @returns {Binary} */
function inspect(file) {
  const bytes = fs.readFileSync(file);
  if (isMachO(bytes)) return readMachO(bytes);
  if (isPe(bytes)) return readPe(bytes);
  const { cpu, needed, exported, lacking, stripped, versions } = readElf(file);
  const glibc = highest(versions, 'GLIBC_');
  const musl = needed.some((library) => library.includes('musl') || library === 'libc.so');
  const lowest = musl ? 'musl' : `glibc ${glibc?.version ?? 'none'}`;
  const glibcVersion = glibc?.version;
  return {
    os: 'linux',
    cpu,
    needed,
    exported,
    lacking,
    stripped,
    lowest,
    signed: false,
    glibc: glibcVersion,
  };
}

/** @param {import('./elf.js').Elf['versions']} versions @param {string} prefix */
function highest(versions, prefix) {
  const mine = versions.filter(({ name }) => name.startsWith(prefix));
  mine.sort((a, b) => compare(a.name, b.name));
  const last = mine.at(-1);
  return last && { version: last.name.slice(prefix.length), symbols: last.symbols };
}

/** @param {string} a @param {string} b */
function compare(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}

/**
 * The faults of a binary of a platform.
 * @param {string} file
 * @param {import('./platforms.js').Platform} platform
 * @param {{ published?: boolean, optimised?: boolean }} [options] published: whether it has to run on older systems than
 * this one; optimised: whether it has to be as small and fast as a published one
 */
function faultsOf(file, platform, { published = false, optimised = true } = {}) {
  const binary = inspect(file);
  const { size } = fs.statSync(file);
  const faults = [];
  if (binary.os !== platform.os || binary.cpu !== platform.cpu)
    faults.push(`is for ${binary.os} ${binary.cpu}`);
  if (platform.libc === 'musl' && binary.lowest !== 'musl') faults.push(`needs ${binary.lowest}`);
  if (platform.libc === 'glibc' && binary.lowest === 'musl') faults.push('needs musl');
  if (published && binary.glibc && compare(binary.glibc, HIGHEST_GLIBC) > 0)
    faults.push(`needs glibc ${binary.glibc}, and ${HIGHEST_GLIBC} is the highest that may be needed`);
  for (const library of binary.needed) if (BUILT_IN.test(library)) faults.push(`needs ${library}`);
  // Any other symbol could clash with those of Node.js or of another addon.
  for (const symbol of binary.exported)
    if (!/^_*(napi_|node_api_)/.test(symbol)) faults.push(`shows the symbol ${symbol}`);
  for (const symbol of ['napi_register_module_v1'])
    if (!binary.exported.includes(symbol)) faults.push(`does not show ${symbol}`);
  for (const symbol of binary.lacking ?? []) if (LINKED.test(symbol)) faults.push(`lacks ${symbol}`);
  // macOS on arm64 runs nothing that is not signed, by whomever.
  if (binary.os === 'darwin' && binary.cpu === 'arm64' && !binary.signed) faults.push('is not signed');
  if (!optimised) return { binary, size, faults };
  if (!binary.stripped) faults.push('is not stripped');
  if (fs.readFileSync(file).includes(APART)) faults.push('was not optimised across crates');
  const largest = platform.os === 'win32' ? LARGEST.win32 : LARGEST.others;
  if (size > largest) faults.push(`has ${size} bytes, and ${largest} is the most`);
  return { binary, size, faults };
}

module.exports = { inspect, faultsOf, highest };
