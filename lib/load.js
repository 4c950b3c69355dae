'use strict';
// Loads the addon: from the file that ZMQ_OMDP_BINARY names; otherwise from a file beside this package (a
// built clone) or beside a bundle of it; otherwise from the platform package.
const fs = require('node:fs');
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');
const { abiOf, libcOfHost } = require('./host');
const { SUFFIXES, installed } = require('./packages');

const PACKAGE = 'zmq-omdp';

/**
 * The native side of a peer, as the addon exports it; src/node/crossing.rs has the numbers of records.
 * @typedef {object} Core
 * @property {(wake: () => void, call: (wake: () => void) => void) => void} start a record reports the result; `call`
 * calls `wake` when drain() has records
 * @property {(timeoutMs: number) => void} stop
 * @property {(into: Float64Array, room: number, ahead: number) => string} drain
 * @property {() => Int32Array | null} [slots]
 * @property {() => boolean} [seesTake]
 * @property {() => (Buffer | string | null)[]} takeBlobs
 * @property {(id: number) => string | null | undefined} stats
 * @property {() => { bytesIn: number, bytesOut: number }} [bytes] of data, of a worker's or client's
 * @property {(endpoints: string[]) => void} [setEndpoints] of a worker or client: its brokers from now on
 * @property {() => void} ref
 * @property {() => void} unref
 * @property {(records: Float64Array, count: number, text: string, blobs: (Uint8Array | string | ArrayBuffer)[] | undefined) => void} [submit]
 */

/** @returns {typeof import('../native')} */
function load() {
  const { platform, arch } = process;
  const libc = platform === 'linux' ? libcOfHost() : null;
  const suffix = `${platform}-${arch}${abiOf(platform, libc)}`;
  /** @type {unknown[]} */
  const causes = [];
  for (const file of files(suffix)) {
    try {
      return open(file);
    } catch (error) {
      causes.push(error);
    }
  }
  if (!environment('ZMQ_OMDP_BINARY')) {
    const { addon, error } = installed(suffix);
    if (addon) return addon;
    causes.push(error);
  }
  throw noBinary(causes, { platform, arch, libc, package: `${PACKAGE}-${suffix}` });
}

/** The files to try before the platform package. @param {string} suffix */
function files(suffix) {
  const named = environment('ZMQ_OMDP_BINARY');
  if (named) return [path.resolve(named)];
  const file = `${PACKAGE}.${suffix}.node`;
  // In a bundle, and in a single executable, `__dirname` is the folder of the bundle or executable.
  return [path.join(__dirname, '..', file), path.join(__dirname, file)].filter((name) => exists(name));
}

/**
 * Not by `require`, which bundlers replace and single executables restrict.
 * @param {string} file
 * @returns {any}
 */
function open(file) {
  const module = { exports: {} };
  process.dlopen(module, path.toNamespacedPath(file));
  return module.exports;
}

/** @param {string} name */
function environment(name) {
  try {
    return process.env[name];
  } catch {
    return undefined; // Deno without --allow-env
  }
}

/** @param {string} file */
function exists(file) {
  try {
    return fs.existsSync(file);
  } catch {
    return false; // Deno without --allow-read
  }
}

/**
 * @param {unknown[]} causes
 * @param {{ platform: string, arch: string, libc: string | null, package: string }} host
 */
function noBinary(causes, host) {
  const { platform, arch, libc } = host;
  const where = `${platform} ${arch}${libc ? ` (${libc})` : ''}`;
  const found = causes.filter((cause) => cause !== undefined && !isMissing(cause));
  const reasons = found.map((cause) => (cause instanceof Error ? cause.message.split('\n')[0] : `${cause}`));
  const message = [
    reasons.length > 0
      ? `The native binary of ${PACKAGE} for ${where} could not be loaded: ${reasons.join('; ')}.`
      : `No native binary of ${PACKAGE} was found for ${where}.`,
    ...(found.map(permissionFor).find(Boolean) ?? adviceFor(host.package)),
  ].join('\n');
  const error = new Error(message, { cause: found[0] ?? causes[0] });
  return Object.assign(error, { code: 'ERR_OMDP_NO_BINARY', ...host });
}

/** Whether a package is not installed. @param {any} cause */
function isMissing(cause) {
  return cause?.code === 'MODULE_NOT_FOUND' || cause?.code === 'ERR_MODULE_NOT_FOUND';
}

/** Advice about the flag that a runtime requires. @param {any} cause @returns {string[] | undefined} */
function permissionFor(cause) {
  if (cause?.code === 'ERR_DLOPEN_DISABLED')
    return ['Node.js denies native addons: run it with --allow-addons beside --permission.'];
  if (cause?.name === 'NotCapable')
    return [
      'Deno denies native addons: run it with --allow-ffi (and --allow-read, --allow-env, --allow-sys).',
    ];
  return undefined;
}

/** @param {string} wanted */
function adviceFor(wanted) {
  const prebuilt = SUFFIXES.map((/** @type {string} */ suffix) => suffix.replace(/-msvc$/, ''));
  return [
    `Looked for the package "${wanted}". Prebuilt binaries exist for ${prebuilt.join(', ')}.`,
    'If this platform is among them, install again without --omit=optional (or --no-optional), on the machine' +
      ' and with the Node.js that will run it. For a bundle, copy the file that require("zmq-omdp/binary") names' +
      ' beside it.',
    'Otherwise build it from a clone of the sources: with Rust (https://rustup.rs) and a C++ compiler,' +
      ' run "npm install" and "npm run build".',
  ];
}

const addon = load();
if (isMainThread) addon.allowExternalBuffers();

module.exports = addon;
