'use strict';
// The platform packages, all derived from package.json's `napi.targets` and `version`: run as a program it writes
// npm/*/, lib/packages.js, optionalDependencies and their entries in package-lock.json; check-package.js compares with
// the same.
//
// The lock entries are written here and not by npm: a platform package of the version at hand is on no registry
// until it is published, npm would leave it out of the lock, and `npm ci` would then refuse the lock as incomplete.
// With the entry there, npm tries to get the one package that fits, and goes on without it as it is optional.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const systems = { linux: 'Linux', darwin: 'macOS', windows: 'Windows' };
const cpus = { x86_64: 'x64', aarch64: 'arm64' };

/**
 * @typedef {{ triple: string, name: string, suffix: string, file: string, dir: string, os: string, cpu: string,
 *   libc: 'glibc' | 'musl' | undefined, title: string }} Platform
 */

/** @param {string} triple @returns {Platform} */
function platformOf(triple) {
  const { name, napi } = readManifest();
  const [rustCpu, , system, abi] = triple.split('-');
  const cpu = cpus[/** @type {keyof typeof cpus} */ (rustCpu)];
  const os = system === 'windows' ? 'win32' : system;
  const libc = os !== 'linux' ? undefined : abi === 'musl' ? 'musl' : 'glibc';
  const suffix = [os, cpu, abi].filter(Boolean).join('-');
  const title = `${systems[/** @type {keyof typeof systems} */ (system)]} on ${cpu}${libc ? ` with ${libc}` : ''}`;
  const file = `${napi.binaryName}.${suffix}.node`;
  return { triple, name: `${name}-${suffix}`, suffix, file, dir: `npm/${suffix}`, os, cpu, libc, title };
}

function readManifest() {
  return JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
}

/** @returns {Platform[]} */
function platforms() {
  return readManifest().napi.targets.map(platformOf);
}

/** The platform of the Node that runs this, or undefined when it is none of ours. */
function hostPlatform() {
  const libc = process.platform === 'linux' ? hostLibc() : undefined;
  return platforms().find((p) => p.os === process.platform && p.cpu === process.arch && p.libc === libc);
}

function hostLibc() {
  const report = /** @type {any} */ (process.report.getReport());
  return report.header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/** @param {Platform} platform */
function packageOf(platform) {
  const { name, version, license, author, engines, repository } = readManifest();
  return {
    name: platform.name,
    version,
    description: `The native part of ${name} for ${platform.title}.`,
    license,
    author,
    repository,
    main: platform.file,
    files: [platform.file, 'THIRD-PARTY-NOTICES.md'],
    engines,
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc && { libc: [platform.libc] }),
  };
}

/** @param {Platform} platform */
function readmeOf(platform) {
  const { name } = readManifest();
  return [
    `# ${platform.name}`,
    '',
    `The native part of \`${name}\` for ${platform.title} (\`${platform.triple}\`).`,
    `Not to be installed by itself: it comes with \`npm install ${name}\` where it fits.`,
    '',
  ].join('\n');
}

function optionalDependencies() {
  const { version } = readManifest();
  const names = platforms().map((platform) => platform.name);
  return Object.fromEntries(names.sort().map((name) => [name, version]));
}

/** @param {Platform} platform */
function lockEntryOf(platform) {
  const { version, license, engines, os, cpu, libc } = packageOf(platform);
  return { version, cpu, ...(libc && { libc }), license, optional: true, os, engines };
}

/** @param {any} value */
function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** lib/packages.js. */
function loadersOf() {
  const cases = platforms().flatMap(({ suffix, name }) => [
    `      case '${suffix}':`,
    `        return { addon: require('${name}') };`,
  ]);
  return [
    '// @ts-nocheck: the packages of other platforms are not installed',
    "'use strict';",
    '// Written by scripts/platforms.js. Each platform package has a literal `require`, because bundlers see no other,',
    '// within `try`, because only there bundlers let a package be missing.',
    '',
    `const SUFFIXES = [\n${platforms()
      .map(({ suffix }) => `  '${suffix}',`)
      .join('\n')}\n];`,
    '',
    '/** What the platform package of this machine is, or why it could not be loaded. */',
    'function installed(suffix) {',
    '  try {',
    '    switch (suffix) {',
    ...cases,
    '      default:',
    '        return { error: undefined };',
    '    }',
    '  } catch (error) {',
    '    return { error };',
    '  }',
    '}',
    '',
    'module.exports = { SUFFIXES, installed };',
    '',
  ].join('\n');
}

/** Every file that is derived, by its path, with what it should contain. */
function derived() {
  /** @type {Record<string, string>} */
  const files = {};
  for (const platform of platforms()) {
    files[`${platform.dir}/package.json`] = json(packageOf(platform));
    files[`${platform.dir}/README.md`] = readmeOf(platform);
  }

  files['lib/packages.js'] = loadersOf();
  const manifest = { ...readManifest(), optionalDependencies: optionalDependencies() };
  files['package.json'] = json(manifest);

  const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  lock.version = lock.packages[''].version = manifest.version;
  lock.packages[''].optionalDependencies = optionalDependencies();
  for (const key of Object.keys(lock.packages)) {
    if (key.startsWith(`node_modules/${manifest.name}-`)) delete lock.packages[key];
  }
  for (const platform of platforms()) lock.packages[`node_modules/${platform.name}`] = lockEntryOf(platform);
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  files['package-lock.json'] = json(lock);
  return files;
}

if (require.main === module) {
  for (const [file, text] of Object.entries(derived())) {
    const full = path.join(root, file);
    if (fs.existsSync(full) && fs.readFileSync(full, 'utf8') === text) continue;
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, text);
    console.log(`wrote ${file}`);
  }
}

module.exports = { root, platforms, hostPlatform, derived, json };
