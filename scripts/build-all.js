'use strict';
// `npm run build:all`: the binaries of all platforms with Linux, built on one of them, optimised, stripped, checked
// and packed, into dist/; `-- linux-arm64-gnu darwin-arm64` names some, also of those of macOS and Windows, which no
// machine of theirs has tested. Prints one table. What it takes is installed outside of the repository (see cross.js);
// OMDP_CACHE names another place.
const fs = require('node:fs');
const path = require('node:path');
const { CACHE, crossBuild, whyNot } = require('./cross.js');
const { faultsOf } = require('./inspect.js');
const { DIST, packPackage, packPlatform } = require('./pack.js');
const { platforms, root } = require('./platforms.js');
const { seconds } = require('./run.js');

/** Where the binaries lie, apart from the one that is being worked with. */
const BINARIES = path.join(root, 'target', 'platforms');

/** @param {string[]} names */
function chosen(names) {
  // The standard library of Rust for Windows on arm64 takes Microsoft's linker.
  const all = platforms().filter(({ os, cpu }) => os !== 'win32' || cpu === 'x64');
  if (names.length === 0) return all.filter(({ os }) => os === 'linux');
  return names.map((name) => {
    const found = all.find(({ suffix, triple }) => name === suffix || name === triple);
    if (!found) throw new Error(`"${name}" is none of ${all.map(({ suffix }) => suffix).join(', ')}`);
    return found;
  });
}

/**
 * Those of one system are built together; of macOS each apart, as each has its own linker's flags.
 * @param {import('./platforms.js').Platform[]} all
 */
function groupsOf(all) {
  /** @type {Map<string, import('./platforms.js').Platform[]>} */
  const groups = new Map();
  for (const platform of all) {
    const key = platform.os === 'darwin' ? platform.suffix : platform.os;
    groups.set(key, [...(groups.get(key) ?? []), platform]);
  }
  return [...groups.values()];
}

/** @param {string[][]} rows */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ')).join('\n');
}

function main() {
  const why = whyNot();
  if (why) {
    console.error(`Binaries of other platforms cannot be built here: ${why}.`);
    process.exit(1);
  }
  fs.mkdirSync(BINARIES, { recursive: true });
  fs.mkdirSync(DIST, { recursive: true });
  const rows = [['platform', 'size', 'packed', 'runs from', 'shows', 'needs', 'built in']];
  const faults = [];
  const all = chosen(process.argv.slice(2));
  for (const group of groupsOf(all)) {
    const start = performance.now();
    const libraries = crossBuild(group);
    const took = seconds(start);
    for (const [index, platform] of group.entries()) {
      const file = path.join(BINARIES, platform.file);
      fs.copyFileSync(libraries[index], file);
      const { binary, size, faults: found } = faultsOf(file, platform, { published: true });
      const packed = packPlatform(platform, BINARIES);
      rows.push([
        platform.suffix,
        `${(size / 1e6).toFixed(2)} MB`,
        `${(packed / 1e6).toFixed(2)} MB`,
        binary.lowest,
        `${binary.exported.length} symbols`,
        binary.needed.map((name) => path.basename(name)).join(' '),
        index === 0 ? took : 'with it',
      ]);
      faults.push(...found.map((fault) => `${platform.file} ${fault}`));
    }
    console.log(`… ${group.map(({ suffix }) => suffix).join(', ')} (${took})`);
  }
  packPackage();
  console.log(table(rows));
  for (const fault of faults) console.error(`✗ ${fault}`);
  if (faults.length > 0) process.exit(1);
  console.log(
    `✓ ${rows.length - 1} binaries in ${path.relative(root, BINARIES)}, packed in dist (tools: ${CACHE})`,
  );
}

if (require.main === module) main();

module.exports = { BINARIES };
