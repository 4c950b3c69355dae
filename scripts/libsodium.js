'use strict';
// The part of libsodium that CURVE needs, for a target, compiled by zig in one call. libsodium's configure script starts
// the compiler some hundred times, which takes ten minutes with zig; its build file for zig needs zig's build system,
// which zig compiles first, for minutes. The definitions are those of that build file.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const EVERYWHERE = [
  '_GNU_SOURCE',
  'CONFIGURED',
  'DEV_MODE',
  'HAVE_ATOMIC_OPS',
  'HAVE_C11_MEMORY_FENCES',
  'HAVE_CET_H',
  'HAVE_GCC_MEMORY_FENCES',
  'HAVE_INLINE_ASM',
  'HAVE_INTTYPES_H',
  'HAVE_RAISE',
  'HAVE_STDINT_H',
  'HAVE_SYS_PARAM_H',
  'HAVE_TI_MODE',
  'NATIVE_LITTLE_ENDIAN',
];
const POSIX = [
  'TLS=_Thread_local',
  'HAVE_CATCHABLE_ABRT',
  'HAVE_CATCHABLE_SEGV',
  'HAVE_CLOCK_GETTIME',
  'HAVE_GETPID',
  'HAVE_MADVISE',
  'HAVE_MLOCK',
  'HAVE_MMAP',
  'HAVE_MPROTECT',
  'HAVE_NANOSLEEP',
  'HAVE_POSIX_MEMALIGN',
  'HAVE_PTHREAD',
  'HAVE_PTHREAD_PRIO_INHERIT',
  'HAVE_SYSCONF',
  'HAVE_SYS_MMAN_H',
  'HAVE_SYS_RANDOM_H',
  'HAVE_WEAK_SYMBOLS',
];
/** @type {Record<string, string[]>} */
const SYSTEMS = {
  linux: [...POSIX, 'ASM_HIDE_SYMBOL=.hidden', 'HAVE_SYS_AUXV_H'],
  darwin: [
    ...POSIX,
    'ASM_HIDE_SYMBOL=.private_extern',
    'HAVE_ARC4RANDOM',
    'HAVE_ARC4RANDOM_BUF',
    'HAVE_GETENTROPY',
    'HAVE_MEMSET_S',
  ],
  win32: ['SODIUM_STATIC'],
};
/** @type {Record<string, string[]>} */
const CPUS = {
  x64: [
    'HAVE_CPUID',
    'HAVE_XGETBV_ASM',
    'HAVE_MMINTRIN_H',
    'HAVE_EMMINTRIN_H',
    'HAVE_PMMINTRIN_H',
    'HAVE_TMMINTRIN_H',
    'HAVE_SMMINTRIN_H',
    'HAVE_AVXINTRIN_H',
    'HAVE_AVX2INTRIN_H',
    'HAVE_AVX512FINTRIN_H',
    'HAVE_WMMINTRIN_H',
    'HAVE_RDRAND',
  ],
  arm64: ['HAVE_ARMCRYPTO'],
};
const ASSEMBLY = ['HAVE_AMD64_ASM', 'HAVE_AVX_ASM'];
// The files with the functions that libzmq calls, directly or not: a third of all, which makes the addon 90 kB smaller.
const SOURCES = [
  'crypto_box/crypto_box.c',
  'crypto_box/crypto_box_easy.c',
  'crypto_box/curve25519xsalsa20poly1305',
  'crypto_core/ed25519/ref10',
  'crypto_core/hsalsa20',
  'crypto_core/salsa',
  'crypto_hash/sha512',
  'crypto_onetimeauth/poly1305',
  'crypto_scalarmult/crypto_scalarmult.c',
  'crypto_scalarmult/curve25519',
  'crypto_secretbox/crypto_secretbox.c',
  'crypto_secretbox/crypto_secretbox_easy.c',
  'crypto_secretbox/xsalsa20poly1305',
  'crypto_stream/salsa20',
  'crypto_stream/xsalsa20',
  'crypto_verify',
  'randombytes/randombytes.c',
  'randombytes/sysrandom',
  'sodium/core.c',
  'sodium/runtime.c',
  'sodium/utils.c',
  'sodium/version.c',
];
// Functions of the omitted parts that libsodium calls at its start.
const LEFT_OUT = [
  '_crypto_stream_chacha20_pick_best_implementation',
  '_crypto_aead_aegis128l_pick_best_implementation',
  '_crypto_aead_aegis256_pick_best_implementation',
  '_crypto_generichash_blake2b_pick_best_implementation',
  '_crypto_pwhash_argon2_pick_best_implementation',
];
const FLAGS = [
  '-fvisibility=hidden',
  '-fno-strict-aliasing',
  '-fno-strict-overflow',
  '-fwrapv',
  '-flax-vector-conversions',
  '-w',
];

/** @param {import('./platforms.js').Platform} platform */
function definitions({ os, cpu }) {
  const assembly = os !== 'win32' && cpu === 'x64' ? ASSEMBLY : [];
  return [...EVERYWHERE, ...SYSTEMS[os], ...CPUS[cpu], ...assembly].map((name) =>
    name.includes('=') ? `-D${name}` : `-D${name}=1`,
  );
}

/**
 * Compiles libsodium, and writes what pkg-config tells of it. @returns {string} the folder that pkg-config finds it in
 * @param {{ source: string, prefix: string, target: string, zig: (args: string[]) => void,
 *   platform: import('./platforms.js').Platform }} what source: the unpacked sources; target: zig's name of it; zig:
 *   runs zig in the folder of the sources
 */
function compile({ source, prefix, target, zig, platform }) {
  const [lib, include] = [path.join(prefix, 'lib'), path.join(prefix, 'include')];
  const found = path.join(lib, 'pkgconfig');
  fs.mkdirSync(found, { recursive: true });
  const top = path.join('src', 'libsodium');
  fs.cpSync(path.join(source, top, 'include'), include, { recursive: true });
  fs.copyFileSync(
    path.join(source, 'builds', 'msvc', 'version.h'),
    path.join(include, 'sodium', 'version.h'),
  );
  const sources = SOURCES.flatMap((name) => sourcesIn(path.join(source, top, name)));
  const leftOut = path.join(prefix, 'left-out.c');
  fs.writeFileSync(leftOut, LEFT_OUT.map((name) => `int ${name}(void) { return 0; }\n`).join(''));
  // Sections for each function, so that the linker drops what is not used.
  const how = ['-static', '-OReleaseFast', '-fPIC', '-ffunction-sections', '-fdata-sections', '-fstrip'];
  zig([
    'build-lib',
    ...['--name', 'sodium', '-target', target, ...how, '-lc'],
    ...['-I', path.join(include, 'sodium'), `-femit-bin=${path.join(lib, 'libsodium.a')}`],
    ...['-cflags', ...FLAGS, ...definitions(platform), '--', ...sources, leftOut],
  ]);
  const lines = ['Name: libsodium', 'Description: libsodium', `Version: ${versionIn(include)}`];
  const flags = [`Libs: -L${lib} -lsodium`, `Cflags: -I${include}`];
  fs.writeFileSync(path.join(found, 'libsodium.pc'), `${[...lines, ...flags, ''].join('\n')}`);
  return found;
}

/** A digest of the chosen sources and definitions. */
function digest() {
  const what = [SOURCES, LEFT_OUT, FLAGS, EVERYWHERE, SYSTEMS, CPUS, ASSEMBLY];
  return crypto.createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 8);
}

/** @param {string} name of a file or a folder @returns {string[]} */
function sourcesIn(name) {
  if (fs.statSync(name).isFile()) return [name];
  const names = fs.readdirSync(name, { recursive: true, encoding: 'utf8' }).sort();
  return names.filter((each) => /\.[cS]$/.test(each)).map((each) => path.join(name, each));
}

/** @param {string} include */
function versionIn(include) {
  const text = fs.readFileSync(path.join(include, 'sodium', 'version.h'), 'utf8');
  return text.match(/SODIUM_VERSION_STRING "(.*)"/)?.[1];
}

module.exports = { compile, digest };
