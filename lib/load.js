'use strict';
// The one place that loads the addon. The loader that the napi CLI generates looks first beside itself (a binary
// built here), then for the platform package; what it says on failure speaks of npm's bugs, so it is said anew here.

const PACKAGE = 'zmq-omdp';
const ABI = { glibc: '-gnu', musl: '-musl' };
const SUPPORTED =
  'linux x64 and arm64 (glibc and musl), darwin x64 and arm64, win32 x64 and arm64' /* as in package.json */;

function load() {
  try {
    return require('../native.js');
  } catch (cause) {
    throw noBinary(cause);
  }
}

/** @param {unknown} cause */
function noBinary(cause) {
  const { platform, arch } = process;
  const libc = platform === 'linux' ? libcOfHost() : null;
  const wanted = packageFor(platform, arch, libc);
  const where = `${platform} ${arch}${libc ? ` (${libc})` : ''}`;
  const reasons = reasonsOf(cause);
  const message = [
    reasons.length > 0
      ? `The native binary of ${PACKAGE} for ${where} could not be loaded: ${reasons.join('; ')}.`
      : `No native binary of ${PACKAGE} fits ${where}.`,
    `Looked for the package "${wanted}". Prebuilt are: ${SUPPORTED}.`,
    'If this platform is among them, install again without --omit=optional (or --no-optional), on the machine' +
      ' and with the Node.js that will run it.',
    'Otherwise build it from a clone of the sources: with Rust (https://rustup.rs) and a C++ compiler there,' +
      ' run "npm install" and "npm run build".',
  ].join('\n');
  const error = new Error(message, { cause });
  return Object.assign(error, { code: 'ERR_OMDP_NO_BINARY', platform, arch, libc, package: wanted });
}

/** @returns {'glibc' | 'musl'} */
function libcOfHost() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/**
 * @param {string} platform
 * @param {string} arch
 * @param {'glibc' | 'musl' | null} libc
 */
function packageFor(platform, arch, libc) {
  const abi = libc ? ABI[libc] : platform === 'win32' ? '-msvc' : '';
  return `${PACKAGE}-${platform}-${arch}${abi}`;
}

/**
 * Why files that are there did not load (a C library too old, a file cut short): what the generated loader met on
 * its way, without its "Cannot find module …" for the files that are simply not there.
 * @param {unknown} cause
 */
function reasonsOf(cause) {
  const reasons = new Set();
  for (let error = cause; error instanceof Error; error = error.cause) {
    const [reason] = error.message.split('\n');
    if (!/^(Cannot find|Failed to load|Unsupported)/.test(reason)) reasons.add(reason);
  }
  return [...reasons];
}

module.exports = load();
