'use strict';
// `npm run build:all`: the binaries of all platforms with Linux, built on one of them, optimised, stripped, checked
// and packed, into dist/; `-- linux-arm64-gnu darwin-arm64` names some, also of those of macOS and Windows, which no
// machine of theirs has tested. `--quick` builds them in a third of the time, hardly optimised and not packed, to see
// whether they run (`npm run test:platforms -- --quick`). Prints one table. What it takes is installed outside of the
// repository (see cross.js); OMDP_CACHE names another place.
const fs = require('node:fs');
const path = require('node:path');
const { CACHE, crossBuild, whyNot } = require('./cross.js');
const { faultsOf } = require('./inspect.js');
const { DIST, packPackage, packPlatform } = require('./pack.js');
const { platforms, root } = require('./platforms.js');
const { seconds } = require('./run.js');

const NOT_AVAILABLE = 77;

/** Where the binaries lie, apart from the one that is being worked with. @param {boolean} quick */
function binariesOf(quick) {
  return path.join(root, 'target', quick ? 'quick-platforms' : 'platforms');
}

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

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

/** Windows divides its C library into many. @param {import('./inspect.js').Binary} binary */
function librariesIn({ needed }) {
  const names = needed.map((name) => path.basename(name).replace(/^(api-ms-win)-.*/, '$1-*'));
  return [...new Set(names)].join(' ');
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
    process.exit(NOT_AVAILABLE);
  }
  const names = process.argv.slice(2);
  const quick = names.includes('--quick');
  const folder = binariesOf(quick);
  fs.mkdirSync(folder, { recursive: true });
  fs.mkdirSync(DIST, { recursive: true });
  const rows = [['platform', 'size', 'packed', 'runs from', 'shows', 'needs', 'built in']];
  const faults = [];
  const all = chosen(names.filter((name) => name !== '--quick'));
  for (const group of groupsOf(all)) {
    const start = performance.now();
    const libraries = crossBuild(group, { quick });
    const took = seconds(start);
    for (const [index, platform] of group.entries()) {
      const file = path.join(folder, platform.file);
      fs.copyFileSync(libraries[index], file);
      const {
        binary,
        size,
        faults: found,
      } = faultsOf(file, platform, { published: true, optimised: !quick });
      const packed = quick ? 'not packed' : megabytes(packPlatform(platform, folder));
      rows.push([
        platform.suffix,
        megabytes(size),
        packed,
        binary.lowest,
        `${binary.exported.length} symbols`,
        librariesIn(binary),
        index === 0 ? took : 'with it',
      ]);
      faults.push(...found.map((fault) => `${platform.file} ${fault}`));
    }
    console.log(`… ${group.map(({ suffix }) => suffix).join(', ')} (${took})`);
  }
  if (!quick) packPackage();
  console.log(table(rows));
  for (const fault of faults) console.error(`✗ ${fault}`);
  if (faults.length > 0) process.exit(1);
  console.log(
    `✓ ${rows.length - 1} binaries in ${path.relative(root, folder)}${quick ? '' : ', packed in dist'} (tools: ${CACHE})`,
  );
}

if (require.main === module) main();

module.exports = { binariesOf };
