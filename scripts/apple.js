'use strict';
// Links libraries for macOS on Linux by Rust's linker, which is LLVM's. Zig's linker keeps unused code and exports every
// symbol. The list of the system's functions and the C++ library are still zig's.
const fs = require('node:fs');
const path = require('node:path');
const { run } = require('./run.js');

/** The libraries that zig links with every C++ library. Rust's linker has to be given them. */
const ARCHIVES = ['c++', 'c++abi', 'compiler_rt'];

/** Rust's standard library names this library and uses none of it; `-dead_strip_dylibs` removes it again. */
const ICONV = `--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64-macos ]
install-name:    '/usr/lib/libiconv.2.dylib'
exports:
  - targets:         [ x86_64-macos, arm64-macos ]
    symbols:         [ _iconv, _iconv_close, _iconv_open ]
...
`;

/**
 * The list of the system's functions that zig contains, without a processor that Rust's linker does not know.
 * @param {string} stub
 */
function knownToLlvm(stub) {
  return stub.replaceAll(/,\s*arm64e\.x1-\w+/g, '').replaceAll(/arm64e\.x1-\w+,?\s*/g, '');
}

/**
 * The paths of zig's libraries, which zig prints when it links. It builds them at the first link.
 * @param {string} said what zig wrote @param {string} cache its cache
 */
function archivesIn(said, cache) {
  return ARCHIVES.map((name) => {
    const file = `lib${name}.a`;
    const folder = new RegExp(`/o/([0-9a-f]+)/${file.replace(/[+.]/g, '\\$&')}`).exec(said)?.[1];
    if (!folder) throw new Error(`zig does not link ${file}:\n${said}`);
    return { file, from: path.join(cache, 'o', folder, file) };
  });
}

function rustLld() {
  const [sysroot, host] = ['--print=sysroot', '--print=host-tuple'].map((what) =>
    run('rustc', [what]).trim(),
  );
  return path.join(sysroot, 'lib', 'rustlib', host, 'bin', 'rust-lld');
}

/**
 * The environment and the flags of rustc with which cargo links by Rust's linker.
 * @param {{ folder: string, cache: string, library: string, link: (source: string, output: string) => string }} what
 *   folder: a place to keep files in; cache: zig's; library: the folder of zig's own files; link: has zig link a C++ file,
 *   and returns what it says
 */
function appleLinker({ folder, cache, library, link }) {
  fs.mkdirSync(folder, { recursive: true });
  const stub = fs.readFileSync(path.join(library, 'libc', 'darwin', 'libSystem.tbd'), 'utf8');
  // The system's library has all three names.
  for (const name of ['libSystem.tbd', 'libc.tbd', 'libm.tbd'])
    fs.writeFileSync(path.join(folder, name), knownToLlvm(stub));
  fs.writeFileSync(path.join(folder, 'libiconv.tbd'), ICONV);
  const source = path.join(folder, 'empty.cpp');
  fs.writeFileSync(source, '#include <new>\nvoid *made() { return ::operator new(1); }\n');
  for (const { file, from } of archivesIn(link(source, path.join(folder, 'empty.dylib')), cache))
    fs.copyFileSync(from, path.join(folder, file));

  // napi-build passes a lone `-Wl`, which is for compilers.
  const linker = path.join(folder, 'ld64');
  const others = 'for arg; do shift; [ "$arg" = -Wl ] || set -- "$@" "$arg"; done';
  fs.writeFileSync(linker, `#!/bin/sh\n${others}\nexec '${rustLld()}' "$@"\n`, { mode: 0o755 });
  const args = [
    '-lc++abi',
    '-lcompiler_rt',
    '-dead_strip_dylibs',
    // macOS on arm64 runs nothing that is not signed, by whomever.
    '-adhoc_codesign',
    // Instead of the path on this machine.
    '-install_name',
    '@rpath/zmq-omdp.node',
  ];
  return {
    linker,
    flags: ['-Clinker-flavor=ld64.lld', `-Lnative=${folder}`, ...args.map((arg) => `-Clink-arg=${arg}`)],
  };
}

module.exports = { appleLinker, archivesIn, knownToLlvm };
