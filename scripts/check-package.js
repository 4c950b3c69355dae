'use strict';
// `npm run check:package`: checks that the package is complete, contains nothing else, runs no script at the
// user, and requires nothing of the system but the C library. Prints the sizes and the minimum system.
const fs = require('node:fs');
const path = require('node:path');
const { ensure } = require('./ensure.js');
const { faultsOf } = require('./inspect.js');
const { derived, platforms, root } = require('./platforms.js');
const { npm } = require('./run.js');

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];
// Files that npm always packs.
const ALWAYS = ['package.json', 'README.md', 'LICENSE'];

// In the release workflow the binaries come from other machines, and are for published use.
const AS_IS = process.argv.includes('--as-is');

/** @type {string[]} */
const faults = [];

/** @param {boolean} holds @param {string} fault */
function expect(holds, fault) {
  if (!holds) faults.push(fault);
}

/** @param {string} file */
function read(file) {
  return fs.readFileSync(path.join(root, file), 'utf8');
}

function checkManifests() {
  for (const [file, text] of Object.entries(derived())) {
    const found = fs.existsSync(path.join(root, file)) ? read(file) : '';
    expect(found === text, `${file} is out of date: node scripts/platforms.js`);
    if (!file.endsWith('package.json')) continue;
    const { name, scripts = {} } = JSON.parse(text);
    for (const script of INSTALL_SCRIPTS) expect(!(script in scripts), `${name} has a script "${script}"`);
  }
  const { version } = JSON.parse(read('package.json'));
  const crate = read('Cargo.toml').match(/^version = "(.*)"$/m)?.[1];
  expect(crate === version, `Cargo.toml has version ${crate}, package.json ${version}`);
}

function checkTarball() {
  const { files } = JSON.parse(read('package.json'));
  for (const name of files)
    expect(fs.existsSync(path.join(root, name)), `"files" names ${name}, which is not there`);

  const [tarball] = JSON.parse(npm(['pack', '--dry-run', '--json', '--ignore-scripts', '--silent']));
  /** @type {Set<string>} */
  const packed = new Set(tarball.files.map((/** @type {{ path: string }} */ file) => file.path));
  const wanted = new Set([...ALWAYS, ...files.flatMap(filesIn)]);
  for (const file of wanted) expect(packed.has(file), `the tarball lacks ${file}`);
  for (const file of packed)
    expect(wanted.has(file), `the tarball has ${file}, which no entry of "files" names`);
  const [size, unpacked] = [kilobytes(tarball.size), kilobytes(tarball.unpackedSize)];
  console.log(
    `${tarball.name} ${tarball.version}: ${packed.size} files, ${size} packed, ${unpacked} unpacked`,
  );
}

/** @param {string} name @returns {string[]} */
function filesIn(name) {
  const full = path.join(root, name);
  if (!fs.existsSync(full)) return [];
  if (fs.statSync(full).isFile()) return [name];
  return fs.readdirSync(full).flatMap((entry) => filesIn(`${name}/${entry}`));
}

/** Checks all present binaries: of this machine, or in the release workflow of every target. */
function checkBinaries() {
  const here = platforms().filter(({ file }) => fs.existsSync(path.join(root, file)));
  expect(here.length > 0, 'no binary is here');
  for (const platform of here) {
    const { binary, size, faults } = faultsOf(path.join(root, platform.file), platform, { published: AS_IS });
    for (const fault of faults) expect(false, `${platform.file} ${fault}`);
    console.log(`${platform.file}: ${kilobytes(size)}, from ${binary.lowest} on`);
    console.log(`  needs: ${binary.needed.join(', ')}`);
  }
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1024).toFixed(1)} kB`;
}

if (!AS_IS) ensure('release');
checkManifests();
checkTarball();
checkBinaries();
for (const fault of faults) console.error(`✗ ${fault}`);
if (faults.length > 0) process.exit(1);
console.log('✓ the package is whole');
