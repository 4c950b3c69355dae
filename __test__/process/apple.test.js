'use strict';
// What links libraries for macOS on Linux reads of zig.
const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { archivesIn, knownToLlvm } = require('../../scripts/apple.js');

test('a processor that the linker does not know is left out of the names of the system', () => {
  const stub = [
    'targets:         [ x86_64-macos, arm64e-macos, ',
    '                   arm64e.x1-macos, arm64e.x1-maccatalyst ]',
    '  - targets:         [ arm64e.x1-macos, arm64e-macos ]',
  ].join('\n');
  assert.equal(
    knownToLlvm(stub),
    'targets:         [ x86_64-macos, arm64e-macos ]\n  - targets:         [ arm64e-macos ]',
  );
});

test('the libraries of zig are where it links them from', () => {
  const said = 'zig ld -o x /c/o/0a1/libc++abi.a /c/o/b2/libc++.a /c/o/c3/libcompiler_rt.a';
  assert.deepEqual(archivesIn(said, '/cache'), [
    { file: 'libc++.a', from: path.join('/cache', 'o', 'b2', 'libc++.a') },
    { file: 'libc++abi.a', from: path.join('/cache', 'o', '0a1', 'libc++abi.a') },
    { file: 'libcompiler_rt.a', from: path.join('/cache', 'o', 'c3', 'libcompiler_rt.a') },
  ]);
  assert.throws(() => archivesIn('error: no', '/cache'), /does not link libc\+\+\.a:\nerror: no/);
});
