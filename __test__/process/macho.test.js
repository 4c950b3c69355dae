'use strict';
// What the check of published binaries reads in a library of macOS.
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test } = require('node:test');
const { readMachO } = require('../../scripts/macho.js');

const PAGE = 4096;
const [HEADER, TREE, SIGNATURE, DIRECTORY, HASHES] = [32, 512, PAGE, PAGE + 20, PAGE + 120];

/** A node of the tree of exports. @param {number[]} symbol flags and address @param {[string, number][]} branches */
function node(symbol, branches) {
  const parts = branches.map(([part, child]) => [...Buffer.from(`${part}\0`), child]);
  return Buffer.from([symbol.length, ...symbol, branches.length, ...parts.flat()]);
}

/** A library of one page and a signature. */
function library() {
  const bytes = Buffer.alloc(2 * PAGE);
  bytes.writeUInt32LE(0xfeedfacf, 0);
  bytes.writeUInt32LE(0x0100000c, 4);
  const commands = [
    [0x80000033, 16, TREE, 128],
    [0x1d, 16, SIGNATURE, PAGE],
    [0x32, 16, 1, 11 << 16],
  ];
  bytes.writeUInt32LE(commands.length, 16);
  for (const [index, value] of commands.flat().entries()) bytes.writeUInt32LE(value, HEADER + index * 4);

  node([], [['_', 8]]).copy(bytes, TREE);
  const branches = /** @type {[string, number][]} */ ([
    ['napi_register_module_v1', 64],
    ['other', 72],
    ['_Znwm', 96],
  ]);
  node([], branches).copy(bytes, TREE + 8);
  node([0, 1], []).copy(bytes, TREE + 64);
  node([0, 2], [['_more', 88]]).copy(bytes, TREE + 72);
  node([0, 3], []).copy(bytes, TREE + 88);
  node([4, 4], []).copy(bytes, TREE + 96);

  bytes.writeUInt32BE(1, SIGNATURE + 8);
  bytes.writeUInt32BE(DIRECTORY - SIGNATURE, SIGNATURE + 16);
  bytes.writeUInt32BE(0xfade0c02, DIRECTORY);
  bytes.writeUInt32BE(HASHES - DIRECTORY, DIRECTORY + 16);
  bytes.writeUInt32BE(1, DIRECTORY + 28);
  bytes.writeUInt32BE(PAGE, DIRECTORY + 32);
  bytes[DIRECTORY + 37] = 2;
  bytes[DIRECTORY + 39] = Math.log2(PAGE);
  return bytes;
}

/** @param {Buffer} bytes */
function sign(bytes) {
  crypto.createHash('sha256').update(bytes.subarray(0, PAGE)).digest().copy(bytes, HASHES);
}

test('exported symbols are found by whole names, also one that begins another', () => {
  const { exported, cpu, lowest, os } = readMachO(library());
  assert.deepEqual(exported.sort(), ['_Znwm', 'napi_register_module_v1', 'other', 'other_more']);
  assert.deepEqual([os, cpu, lowest], ['darwin', 'arm64', 'macOS 11.0']);
});

test('a library is signed if each page has its hash', () => {
  const bytes = library();
  assert.equal(readMachO(bytes).signed, false, 'the hash is none');
  sign(bytes);
  assert.equal(readMachO(bytes).signed, true);
  bytes[TREE + 200] ^= 1;
  assert.equal(readMachO(bytes).signed, false, 'a page was changed');
});

test('a signature that does not reach to its end is none', () => {
  const bytes = library();
  bytes.writeUInt32BE(PAGE + 1, DIRECTORY + 32);
  sign(bytes);
  assert.equal(readMachO(bytes).signed, false);
});
