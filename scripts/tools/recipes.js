'use strict';
// The packages of each package manager, runtime, test runner and bundler, and how zmq-omdp is used with it.
// docs/runtimes.md describes this for readers.
//
// A recipe gets a `Kit` (see check-tools.js) with an empty folder, and has to run a program that makes a
// request.
const fs = require('node:fs');
const path = require('node:path');
const { AS_TEST, BY_IMPORT, BY_REQUIRE } = require('./talk.js');

const { execPath } = process;
const MANIFEST = { name: 'app', version: '1.0.0', private: true, dependencies: { 'zmq-omdp': '*' } };

/** @param {Kit} kit @param {object} [more] */
function application(kit, more = {}) {
  kit.write('package.json', JSON.stringify({ ...MANIFEST, ...more }));
  kit.write('.npmrc', `registry=${kit.registry}/\nupdate-notifier=false\n`);
  kit.write('talk.cjs', BY_REQUIRE);
  kit.write('talk.mjs', BY_IMPORT);
}

/** @param {Kit} kit @param {object} [more] */
function installed(kit, more) {
  application(kit, more);
  kit.npm(['install', '--ignore-scripts', '--no-audit', '--no-fund']);
}

/** Removes all modules, so that only the output of the bundler remains. @param {Kit} kit */
function withoutModules(kit) {
  fs.rmSync(path.join(kit.dir, 'node_modules'), { recursive: true });
}

/** @param {Kit} kit @param {string} folder */
function copyBinary(kit, folder) {
  const program = "process.stdout.write(require('zmq-omdp/binary'))";
  const binary = kit.run(execPath, ['-e', program]);
  fs.copyFileSync(binary, path.join(kit.dir, folder, path.basename(binary)));
}

/** @type {Record<string, Recipe>} */
const RECIPES = {
  npm: {
    packages: [],
    try(kit) {
      installed(kit);
      kit.talk(execPath, ['talk.cjs']);
      kit.talk(execPath, ['talk.mjs']);
    },
  },
  pnpm: {
    packages: ['pnpm@10.34.9'],
    try(kit) {
      application(kit);
      kit.tool('pnpm', 'bin/pnpm.cjs', ['install', '--store-dir', path.join(kit.dir, 'store')]);
      kit.talk(execPath, ['talk.cjs']);
      kit.talk(execPath, ['talk.mjs']);
    },
  },
  'yarn 1': {
    packages: ['yarn@1.22.22'],
    try(kit) {
      application(kit);
      const cache = ['--cache-folder', path.join(kit.dir, 'cache')];
      kit.tool('yarn', 'bin/yarn.js', ['install', '--registry', kit.registry, ...cache]);
      kit.talk(execPath, ['talk.cjs']);
      kit.talk(execPath, ['talk.mjs']);
    },
  },
  'yarn 4 (PnP)': {
    packages: ['@yarnpkg/cli-dist@4.18.1'],
    try(kit) {
      application(kit);
      const settings = {
        nodeLinker: 'pnp',
        pnpEnableEsmLoader: true,
        npmRegistryServer: kit.registry,
        unsafeHttpWhitelist: ['127.0.0.1'],
        enableGlobalCache: false,
        enableTelemetry: false,
        enableImmutableInstalls: false,
        npmMinimalAgeGate: 0,
      };
      kit.write('.yarnrc.yml', JSON.stringify(settings));
      kit.write('yarn.lock', '');
      kit.tool('@yarnpkg/cli-dist', 'bin/yarn.js', ['install']);
      kit.talk(execPath, [kit.file('@yarnpkg/cli-dist', 'bin/yarn.js'), 'node', 'talk.cjs']);
      kit.talk(execPath, [kit.file('@yarnpkg/cli-dist', 'bin/yarn.js'), 'node', 'talk.mjs']);
    },
  },
  bun: {
    packages: ['bun@1.4.5'],
    try(kit) {
      application(kit);
      const bun = kit.binary('@oven/bun-', 'bin/bun');
      kit.run(bun, ['install', '--registry', kit.registry, '--cache-dir', path.join(kit.dir, 'cache')]);
      kit.talk(execPath, ['talk.cjs']);
      kit.talk(bun, ['talk.cjs']);
      kit.talk(bun, ['talk.mjs']);
    },
  },
  deno: {
    packages: ['deno@2.9.6'],
    try(kit) {
      installed(kit);
      const deno = kit.binary('@deno/', 'deno');
      const flags = ['--no-lock', '--node-modules-dir=manual', '--no-prompt'];
      const allowed = ['--allow-ffi', '--allow-read', '--allow-env', '--allow-sys'];
      kit.talk(deno, ['run', ...flags, ...allowed, 'talk.mjs']);
      kit.fails(
        deno,
        ['run', ...flags, '--allow-read', '--allow-env', '--allow-sys', 'talk.mjs'],
        /--allow-ffi/,
      );
    },
  },
  'node --permission': {
    packages: [],
    try(kit) {
      installed(kit);
      const stable = process.allowedNodeEnvironmentFlags.has('--permission');
      const flags = [stable ? '--permission' : '--experimental-permission', '--allow-fs-read=*'];
      kit.talk(execPath, [...flags, '--allow-addons', 'talk.cjs']);
      kit.fails(execPath, [...flags, 'talk.cjs'], /--allow-addons/);
    },
  },
  jest: {
    packages: ['jest@30.5.2'],
    try(kit) {
      installed(kit);
      for (const name of ['one', 'two']) kit.write(`${name}.test.js`, AS_TEST);
      kit.tool('jest', 'bin/jest.js', ['--rootDir', kit.dir, '--runInBand', '--detectOpenHandles']);
      kit.tool('jest', 'bin/jest.js', ['--rootDir', kit.dir, '--maxWorkers=2']);
    },
  },
  vitest: {
    packages: ['vitest@3.2.7'],
    try(kit) {
      installed(kit);
      for (const name of ['one', 'two'])
        kit.write(
          `${name}.test.mjs`,
          AS_TEST.replace(/^const omdp.*$/m, "import * as omdp from 'zmq-omdp';"),
        );
      for (const pool of ['forks', 'threads']) {
        kit.tool('vitest', 'vitest.mjs', ['run', '--root', kit.dir, '--globals', '--pool', pool]);
      }
    },
  },
  esbuild: {
    packages: ['esbuild@0.28.2'],
    try(kit) {
      installed(kit);
      const flags = ['--bundle', '--platform=node', '--loader:.node=copy', '--outfile=dist/app.js'];
      kit.run(kit.binary('@esbuild/', 'bin/esbuild'), ['talk.cjs', ...flags]);
      withoutModules(kit);
      kit.talk(execPath, ['dist/app.js']);
    },
  },
  webpack: {
    packages: ['webpack@5.112.2', 'node-loader@2.1.0'],
    try(kit) {
      installed(kit);
      kit.write(
        'build.cjs',
        `const webpack = require(${JSON.stringify(kit.file('webpack', 'lib/index.js'))});
        webpack({
          mode: 'production',
          target: 'node',
          entry: './talk.cjs',
          context: __dirname,
          output: { path: __dirname + '/dist', filename: 'app.js' },
          node: { __dirname: false },
          module: { rules: [{ test: /\\.node$/, loader: ${JSON.stringify(kit.file('node-loader', 'dist/cjs.js'))} }] },
        }, (error, stats) => {
          if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
        });`,
      );
      kit.run(execPath, ['build.cjs']);
      withoutModules(kit);
      kit.talk(execPath, ['dist/app.js']);
    },
  },
  rollup: {
    packages: ['rollup@4.68.8', '@rollup/plugin-commonjs@29.0.3', '@rollup/plugin-node-resolve@16.0.3'],
    try(kit) {
      installed(kit);
      kit.write(
        'build.cjs',
        `const { rollup } = require(${JSON.stringify(kit.file('rollup', 'dist/rollup.js'))});
        const { default: commonjs } = require(${JSON.stringify(kit.file('@rollup/plugin-commonjs', 'dist/cjs/index.js'))});
        const { nodeResolve } = require(${JSON.stringify(kit.file('@rollup/plugin-node-resolve', 'dist/cjs/index.js'))});
        rollup({ input: 'talk.cjs', plugins: [nodeResolve(), commonjs()], external: [/^zmq-omdp-/] })
          .then((bundle) => bundle.write({ file: 'dist/app.cjs', format: 'cjs' }));`,
      );
      kit.run(execPath, ['build.cjs']);
      copyBinary(kit, 'dist');
      withoutModules(kit);
      kit.talk(execPath, ['dist/app.cjs']);
    },
  },
  ncc: {
    packages: ['@vercel/ncc@0.45.0'],
    try(kit) {
      installed(kit);
      kit.write('talk.js', BY_REQUIRE);
      kit.tool('@vercel/ncc', 'dist/ncc/cli.js', ['build', 'talk.js', '--out', 'dist', '--no-cache']);
      withoutModules(kit);
      kit.talk(execPath, ['dist/index.js']);
    },
  },
  'single executable': {
    packages: ['esbuild@0.28.2', 'postject@1.0.0-alpha.6'],
    try(kit) {
      installed(kit);
      const flags = ['--bundle', '--platform=node', '--external:zmq-omdp-*', '--outfile=app.js'];
      kit.run(kit.binary('@esbuild/', 'bin/esbuild'), ['talk.cjs', ...flags]);
      kit.write(
        'sea.json',
        '{ "main": "app.js", "output": "app.blob", "disableExperimentalSEAWarning": true }',
      );
      kit.run(execPath, ['--experimental-sea-config', 'sea.json']);
      fs.mkdirSync(path.join(kit.dir, 'dist'));
      const program = path.join(kit.dir, 'dist', process.platform === 'win32' ? 'app.exe' : 'app');
      fs.copyFileSync(execPath, program);
      const fuse = ['--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'];
      const segment = process.platform === 'darwin' ? ['--macho-segment-name', 'NODE_SEA'] : [];
      kit.tool('postject', 'dist/cli.js', [program, 'NODE_SEA_BLOB', 'app.blob', ...fuse, ...segment]);
      if (process.platform === 'darwin') kit.run('codesign', ['--sign', '-', program]);
      copyBinary(kit, 'dist');
      withoutModules(kit);
      kit.talk(program, []);
    },
  },
};

/**
 * @typedef {object} Kit
 * @property {string} dir an empty folder, the working directory
 * @property {string} registry the URL of a registry with zmq-omdp
 * @property {(name: string, text: string) => void} write
 * @property {(program: string, args: string[]) => string} run returns the output
 * @property {(program: string, args: string[]) => void} talk runs a program that has to make a request
 * @property {(program: string, args: string[], message: RegExp) => void} fails runs a program that has to
 * fail with a message
 * @property {(args: string[]) => void} npm
 * @property {(name: string, file: string) => string} file the path of a file of a package
 * @property {(name: string, file: string, args: string[]) => void} tool runs such a file by Node.js
 * @property {(prefix: string, file: string) => string} binary the file of the package with this prefix for
 * this machine
 *
 * @typedef {{ packages: string[], try(kit: Kit): void }} Recipe
 */

module.exports = { RECIPES };
