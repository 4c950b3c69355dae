'use strict';
// What `require` says when no binary fits. Each case loads lib/load.js in a copy of the package where the binary is
// missing or broken, in a process of its own.
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');

const root = path.join(__dirname, '../..');
/** @type {string} */
let copy;

before(() => {
  copy = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-load-'));
  fs.mkdirSync(path.join(copy, 'lib'));
  for (const file of ['native.js', 'lib/load.js'])
    fs.copyFileSync(path.join(root, file), path.join(copy, file));
});
after(() => fs.rmSync(copy, { recursive: true }));

/** Loads the copy on a pretended platform and returns what it threw. */
function thrownBy({ platform = process.platform, arch = process.arch, glibc = '2.31' } = {}) {
  const program = `
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(platform)} });
    Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} });
    process.report.getReport = () => ({ header: ${glibc ? `{ glibcVersionRuntime: '${glibc}' }` : '{}'} });
    try { require('./lib/load.js'); } catch ({ message, code, platform, arch, libc, package: wanted, cause }) {
      console.log(JSON.stringify({ message, code, platform, arch, libc, wanted, cause: cause instanceof Error }));
    }`;
  const env = { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: '' };
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: copy, env, encoding: 'utf8' }));
}

test('names platform, arch, libc and package', () => {
  const thrown = thrownBy({ platform: 'linux', arch: 'arm64' });
  assert.equal(thrown.code, 'ERR_OMDP_NO_BINARY');
  assert.deepEqual([thrown.platform, thrown.arch, thrown.libc], ['linux', 'arm64', 'glibc']);
  assert.equal(thrown.wanted, 'zmq-omdp-linux-arm64-gnu');
  assert.match(thrown.message, /fits linux arm64 \(glibc\)/);
  assert.match(thrown.message, /"zmq-omdp-linux-arm64-gnu"/);
  assert.equal(thrown.cause, true);
});

test('says what to do', () => {
  const { message } = thrownBy();
  assert.match(message, /--omit=optional/);
  assert.match(message, /npm run build/);
});

test('names the packages of the other platforms', () => {
  assert.equal(thrownBy({ platform: 'linux', arch: 'x64', glibc: '' }).wanted, 'zmq-omdp-linux-x64-musl');
  assert.equal(thrownBy({ platform: 'darwin', arch: 'arm64' }).wanted, 'zmq-omdp-darwin-arm64');
  assert.equal(thrownBy({ platform: 'win32', arch: 'x64' }).wanted, 'zmq-omdp-win32-x64-msvc');
});

test('a platform without a binary', () => {
  const thrown = thrownBy({ platform: 'sunos', arch: 'x64' });
  assert.equal(thrown.code, 'ERR_OMDP_NO_BINARY');
  assert.match(thrown.message, /fits sunos x64\./);
  assert.equal(thrown.libc, null);
});

test('a binary that is there but does not load: says why', () => {
  const { hostPlatform } = require('../../scripts/platforms.js');
  const file = path.join(copy, /** @type {any} */ (hostPlatform()).file);
  fs.writeFileSync(file, 'not a library');
  const glibc = /** @type {any} */ (process.report.getReport()).header.glibcVersionRuntime ?? '';
  const thrown = thrownBy({ glibc });
  fs.rmSync(file);
  assert.equal(thrown.code, 'ERR_OMDP_NO_BINARY');
  assert.match(thrown.message, /could not be loaded: .*zmq-omdp\..*\.node/);
});
