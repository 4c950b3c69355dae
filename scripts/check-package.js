'use strict';
// `npm run check:package`: that what would be published is whole, holds nothing else, runs no script at the user's,
// and needs nothing on the user's machine but the C library. Prints the sizes and the lowest glibc and libstdc++.
const fs = require('node:fs');
const path = require('node:path');
const { readElf } = require('./elf.js');
const { ensure } = require('./ensure.js');
const { derived, platforms, root } = require('./platforms.js');
const { npm } = require('./run.js');

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];
// What npm packs whether `files` names it or not.
const ALWAYS = ['package.json', 'README.md', 'LICENSE'];
const BUILT_IN = /^lib(zmq|sodium|stdc\+\+|gcc_s)\b/;

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

/** Of all binaries that are here: of this machine, or in the release workflow of every target. */
function checkBinaries() {
  const here = platforms().filter(({ file }) => fs.existsSync(path.join(root, file)));
  expect(here.length > 0, 'no binary is here');
  for (const { file, os } of here) {
    const binary = path.join(root, file);
    console.log(`${file}: ${kilobytes(fs.statSync(binary).size)}`);
    if (os === 'linux') checkElf(binary, file);
  }
}

/** @param {string} binary @param {string} name */
function checkElf(binary, name) {
  const { needed, versions, exported } = readElf(binary);
  for (const library of needed) expect(!BUILT_IN.test(library), `${name} needs ${library}`);
  // Anything else could clash with what Node or another addon brings along.
  for (const symbol of exported) expect(symbol.startsWith('napi_'), `${name} shows the symbol ${symbol}`);
  console.log(`  needs: ${needed.join(', ')}`);
  console.log(`  lowest glibc: ${lowest(versions, 'GLIBC_')}`);
  console.log(`  lowest libstdc++: ${lowest(versions, 'GLIBCXX_')}`);
}

/** @param {import('./elf.js').Elf['versions']} versions @param {string} prefix */
function lowest(versions, prefix) {
  const mine = versions.filter(({ name }) => name.startsWith(prefix));
  if (mine.length === 0) return 'none is needed';
  mine.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const { name, symbols } = mine[mine.length - 1];
  return `${name.slice(prefix.length)} (for ${symbols.join(', ')})`;
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1024).toFixed(1)} kB`;
}

// --as-is: in the release workflow the binaries come from other machines.
if (!process.argv.includes('--as-is')) ensure('release');
checkManifests();
checkTarball();
checkBinaries();
for (const fault of faults) console.error(`✗ ${fault}`);
if (faults.length > 0) process.exit(1);
console.log('✓ the package is whole');
