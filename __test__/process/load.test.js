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
  for (const file of ['lib/host.js', 'lib/load.js', 'lib/packages.js'])
    fs.copyFileSync(path.join(root, file), path.join(copy, file));
});
after(() => fs.rmSync(copy, { recursive: true }));

/** Loads the copy on a pretended platform and returns what it threw. */
function thrownBy({
  platform = process.platform,
  arch = process.arch,
  glibc = '2.31',
  environment = {},
} = {}) {
  const program = `
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(platform)} });
    Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} });
    process.report.getReport = () => ({ header: ${glibc ? `{ glibcVersionRuntime: '${glibc}' }` : '{}'} });
    try { require('./lib/load.js'); } catch ({ message, code, platform, arch, libc, package: wanted, cause }) {
      console.log(JSON.stringify({ message, code, platform, arch, libc, wanted, cause: cause instanceof Error }));
    }`;
  const env = { ...process.env, ZMQ_OMDP_BINARY: '', ...environment };
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: copy, env, encoding: 'utf8' }));
}

test('names platform, arch, libc and package', () => {
  const thrown = thrownBy({ platform: 'linux', arch: 'arm64' });
  assert.equal(thrown.code, 'ERR_OMDP_NO_BINARY');
  assert.deepEqual([thrown.platform, thrown.arch, thrown.libc], ['linux', 'arm64', 'glibc']);
  assert.equal(thrown.wanted, 'zmq-omdp-linux-arm64-gnu');
  assert.match(thrown.message, /was found for linux arm64 \(glibc\)/);
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
  assert.match(thrown.message, /was found for sunos x64\./);
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

test('a binary by the environment, which is not there: names it', () => {
  const { message } = thrownBy({ environment: { ZMQ_OMDP_BINARY: './elsewhere.node' } });
  assert.match(message, /could not be loaded: .*elsewhere\.node/);
});

test('the path of the binary is exported, without loading it', () => {
  const program = 'process.dlopen = () => { throw new Error() }; console.log(require("zmq-omdp/binary"))';
  const file = execFileSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' }).trim();
  assert.match(path.basename(file), /^zmq-omdp\..*\.node$/);
  assert.ok(fs.existsSync(file), file);
});

test('the permission that is missing is named', () => {
  const stable = process.allowedNodeEnvironmentFlags.has('--permission');
  const flags = [stable ? '--permission' : '--experimental-permission', '--allow-fs-read=*'];
  const program = 'try { require("zmq-omdp") } catch (error) { console.log(error.code, error.message) }';
  const said = execFileSync(process.execPath, [...flags, '-e', program], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.match(said, /^ERR_OMDP_NO_BINARY .*\n.*--allow-addons/);
});
