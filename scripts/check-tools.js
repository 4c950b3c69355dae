'use strict';
// `npm run check:tools`: uses the tarballs in dist/ with package managers, runtimes, test runners and
// bundlers, each in an empty folder. Arguments select some of them: `npm run check:tools -- esbuild "yarn
// 4"`. npm installs the tools into a cache folder, in the versions of recipes.js.
const { fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root } = require('./platforms.js');
const { seconds } = require('./run.js');
const { RECIPES } = require('./tools/recipes.js');
const { TALKED } = require('./tools/talk.js');

const CACHE = path.join(root, 'node_modules', '.cache', 'tools');
const TIMEOUT = 300_000;

/** Without the settings that npm made for this script, which would affect the tools. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

/** @param {string} program @param {string[]} args @param {string} cwd */
function spawn(program, args, cwd) {
  const env = { ...ENVIRONMENT, CI: '1', NO_COLOR: '1', HOME: path.dirname(cwd), DO_NOT_TRACK: '1' };
  const result = spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout: TIMEOUT });
  const output = `${result.stdout}${result.stderr}${result.error ?? ''}`;
  return {
    ok: result.status === 0,
    stdout: result.stdout,
    output,
    said: `${[program, ...args].join(' ')}\n${output}`,
  };
}

/** @param {string[]} args @param {string} cwd */
function npm(args, cwd) {
  const cli = process.env.npm_execpath;
  const result = cli?.endsWith('.js')
    ? spawn(process.execPath, [cli, ...args], cwd)
    : spawn('npm', args, cwd);
  if (!result.ok) throw new Error(result.said);
}

/** Installs the tools of a recipe once. @param {string[]} packages @returns {string} the folder */
function toolsIn(packages) {
  const dir = path.join(CACHE, packages.join('+').replace(/[^\w.@+-]/g, '_') || 'none');
  const done = path.join(dir, 'installed');
  if (packages.length === 0 || fs.existsSync(done)) return dir;
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, 'package.json'), '{ "private": true }');
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', ...packages], dir);
  fs.writeFileSync(done, '');
  return dir;
}

/** @param {string} dir @param {string} registry @param {string} tools @returns {import('./tools/recipes.js').Kit} */
function kitIn(dir, registry, tools) {
  /** @param {string} name @param {string} file */
  const file = (name, file) => path.join(tools, 'node_modules', name, file);
  /** @param {string} program @param {string[]} args */
  const run = (program, args) => {
    const result = spawn(program, args, dir);
    if (!result.ok) throw new Error(result.said);
    return result.stdout;
  };
  return {
    dir,
    registry,
    write: (name, text) => fs.writeFileSync(path.join(dir, name), text),
    run,
    talk(program, args) {
      const { ok, output, said } = spawn(program, args, dir);
      if (!ok || !TALKED.test(output)) throw new Error(said);
    },
    fails(program, args, message) {
      const { ok, output, said } = spawn(program, args, dir);
      if (ok || !message.test(output)) throw new Error(`should fail with ${message}: ${said}`);
    },
    npm: (args) => npm(args, dir),
    file,
    tool: (name, program, args) => void run(process.execPath, [file(name, program), ...args]),
    binary(prefix, name) {
      const [scope, start] = prefix.split('/');
      const scoped = path.join(tools, 'node_modules', scope);
      const found = fs.readdirSync(scoped).find((entry) => entry.startsWith(start));
      if (!found) throw new Error(`npm installed no package ${prefix}… for this machine`);
      const binary = path.join(scoped, found, name);
      return process.platform === 'win32' ? `${binary}.exe` : binary;
    },
  };
}

/** @param {string} name @param {string} registry @returns {boolean} */
function tried(name, registry) {
  const start = performance.now();
  const { packages, ...recipe } = RECIPES[name];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-tools-'));
  const dir = path.join(folder, 'app');
  fs.mkdirSync(dir);
  try {
    recipe.try(kitIn(dir, registry, toolsIn(packages)));
    console.log(`✓ ${[name, ...packages].join(' ')} (${seconds(start)})`);
    return true;
  } catch (error) {
    console.log(`✗ ${name}: ${/** @type {Error} */ (error).message}`);
    return false;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const only = process.argv.slice(2);
  const names = Object.keys(RECIPES).filter(
    (name) => only.length === 0 || only.some((part) => name.includes(part)),
  );
  if (!fs.existsSync(path.join(root, 'dist'))) {
    console.error('dist/ is missing: run "npm run pack:local" first.');
    process.exit(1);
  }
  const child = fork(path.join(__dirname, 'tools/registry.js'), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [url] = await once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data');
  const failed = names.filter((name) => !tried(name, `${url}`.trim()));
  child.disconnect();
  if (failed.length > 0) {
    console.error(`failed: ${failed.join(', ')}`);
    process.exitCode = 1;
  }
}

main();
