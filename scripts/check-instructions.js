'use strict';
// `npm run check:instructions`: compares the costs of the hot paths, in instructions and allocations, with
// benches/instructions/expected.json. Counts are reproducible and times are not, so a path that has become
// more expensive is found on any machine. `-- --update` writes the present counts.
//
// Callgrind counts the instructions; without it only the allocations are compared, and the exit code is 77.
// Instruction counts depend on the compiler, the C library and the architecture of the processor: if these
// differ from those of the expected counts, a deviation is a warning. Allocations are equal everywhere.
//
// The cost of a part of a path is the difference to a build without it. It has a maximum instead of an expected
// count.
const { execFile, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { root } = require('./platforms.js');
const { run, seconds } = require('./run.js');

const EXPECTED = path.join(root, 'benches', 'instructions', 'expected.json');
const TOLERANCE = 0.03;
/** The number of items in the first run; the second has twice as many, and the difference is their cost. */
const ITEMS = 1024;
const NOT_AVAILABLE = 77;
/**
 * The feature without the part, the path, and the maximum as a share of the path.
 * @type {{ name: string, feature: string, of: string, most: number }[]}
 */
const PARTS = [{ name: '  of it counters', feature: 'uncounted', of: 'broker: request', most: 0.01 }];

/**
 * @typedef {{ instructions?: number, allocations: number }} Cost of one item
 * @typedef {{ rustc: string, libc: string, cpu: string }} Tools
 * @typedef {{ tools: Tools, costs: Record<string, Cost> }} Expected
 * @typedef {{ name: string, of: string, most: number, counted: number }} Part in instructions
 */

/** @param {string[]} without @returns {string} the path of the program with the measured paths */
function buildProgram(...without) {
  const features = ['--no-default-features', '--features', ['instructions', ...without].join()];
  const what = [
    '--profile',
    'instructions',
    '--example',
    'instructions',
    '--message-format',
    'json-render-diagnostics',
  ];
  // The program exports stand-ins for Node.js's functions, which the addon's code looks up by name.
  const output = run('cargo', ['rustc', '--locked', ...features, ...what, '--', '-C', 'link-arg=-rdynamic']);
  const messages = output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const program = messages.find((message) => message.executable)?.executable;
  if (without.length === 0) return program;
  // The next build replaces the program.
  const copy = [program, ...without].join('-');
  fs.copyFileSync(program, copy);
  return copy;
}

/** @returns {Tools} */
function toolsHere() {
  const { header } = /** @type {any} */ (process.report.getReport());
  return {
    rustc: run('rustc', ['-V']).trim(),
    libc: header.glibcVersionRuntime ?? 'other',
    cpu: process.arch,
  };
}

// An environment that is equal everywhere: the C library selects the simplest of its copying functions, and
// the size of the environment does not shift the stack.
const env = {
  PATH: process.env.PATH,
  GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM',
};

/**
 * @param {string} program
 * @param {string} name
 * @param {number} items
 * @param {boolean} callgrind
 * @returns {Promise<Cost>} of all items, with the set-up
 */
async function count(program, name, items, callgrind) {
  const command = [program, name, `${items}`];
  if (callgrind) {
    const only = '--toggle-collect=omdp_counted';
    command.unshift('valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', only);
  }
  const { stdout, stderr } = await promisify(execFile)(command[0], command.slice(1), { env });
  const allocations = Number(stdout);
  if (!callgrind) return { allocations };
  const collected = stderr.match(/Collected : (\d+)/);
  if (!collected) throw new Error(`callgrind said no count:\n${stderr}`);
  return { instructions: Number(collected[1]), allocations };
}

/** @param {string} program @param {string} name @param {boolean} callgrind @returns {Promise<Cost>} */
async function measure(program, name, callgrind) {
  const once = await count(program, name, ITEMS, callgrind);
  const twice = await count(program, name, 2 * ITEMS, callgrind);
  /** @param {number} a @param {number} b @param {number} digits */
  const each = (a, b, digits) => Number(((b - a) / ITEMS).toFixed(digits));
  const allocations = each(once.allocations, twice.allocations, 3);
  if (once.instructions === undefined || twice.instructions === undefined) return { allocations };
  return { instructions: each(once.instructions, twice.instructions, 0), allocations };
}

/** Runs as many at a time as there are processors. @param {string} program @param {boolean} callgrind */
async function measureAll(program, callgrind) {
  const names = run(program, []).trim().split('\n');
  /** @type {Record<string, Cost>} */
  const costs = Object.fromEntries(names.map((name) => [name, { allocations: 0 }]));
  const queue = [...names];
  const lane = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      costs[name] = await measure(program, name, callgrind);
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, lane));
  return costs;
}

/**
 * @param {Map<string, string>} programs by the features that they are without
 * @param {Record<string, Cost>} costs
 * @returns {Promise<Part[]>}
 */
async function measureParts(programs, costs) {
  const parts = PARTS.map(async ({ name, feature, of, most }) => {
    const program = /** @type {string} */ (programs.get(feature));
    const whole = Number(costs[of].instructions);
    const without = Number((await measure(program, of, true)).instructions);
    return { name, of, most: Math.floor(whole * most), counted: whole - without };
  });
  return Promise.all(parts);
}

/** @returns {Expected} */
function readExpected() {
  return JSON.parse(fs.readFileSync(EXPECTED, 'utf8'));
}

/** Writes one line for each path, so that a diff shows the changed paths. @param {Expected} expected */
function writeExpected({ tools, costs }) {
  const lines = Object.entries(costs).map(
    ([name, { instructions, allocations }]) =>
      `    ${JSON.stringify(name)}: { "instructions": ${instructions}, "allocations": ${allocations} }`,
  );
  const head = JSON.stringify(tools, null, 2).replaceAll('\n', '\n  ');
  fs.writeFileSync(EXPECTED, `{\n  "tools": ${head},\n  "costs": {\n${lines.join(',\n')}\n  }\n}\n`);
}

/** @param {number | undefined} expected @param {number | undefined} counted */
function difference(expected, counted) {
  if (!expected || counted === undefined) return '';
  const percent = (counted / expected - 1) * 100;
  return `${percent > 0 ? '+' : ''}${percent.toFixed(1)} %`;
}

/**
 * @param {Expected} expected
 * @param {Record<string, Cost>} costs
 * @param {Part[]} parts
 * @param {boolean} sameTools
 */
function compare(expected, costs, parts, sameTools) {
  const rows = [['', 'path', 'instructions: expected', 'counted', '', 'allocations: expected', 'counted']];
  let [failed, warned] = [0, 0];
  for (const name of new Set([...Object.keys(expected.costs), ...Object.keys(costs)])) {
    const [was, is] = [expected.costs[name], costs[name]];
    const off =
      was?.instructions && is?.instructions
        ? Math.abs(is.instructions / was.instructions - 1) > TOLERANCE
        : false;
    const bad = !was || !is || was.allocations !== is.allocations || (off && sameTools);
    if (bad) failed += 1;
    else if (off) warned += 1;
    rows.push([
      bad ? '✗' : off ? '!' : '✓',
      name,
      `${was?.instructions ?? '–'}`,
      `${is?.instructions ?? '–'}`,
      difference(was?.instructions, is?.instructions),
      `${was?.allocations ?? '–'}`,
      `${is?.allocations ?? '–'}`,
    ]);
    for (const part of parts.filter(({ of }) => of === name)) {
      const { most, counted } = part;
      const over = counted > most;
      if (over && sameTools) failed += 1;
      else if (over) warned += 1;
      const share = `${((counted / Number(is.instructions)) * 100).toFixed(1)} %`;
      rows.push([over ? (sameTools ? '✗' : '!') : '✓', part.name, `≤ ${most}`, `${counted}`, share, '', '']);
    }
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    const cells = row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])));
    console.log(cells.join('  ').trimEnd());
  }
  return { failed, warned };
}

async function main() {
  const start = performance.now();
  if (process.platform !== 'linux') {
    console.log('not available: instructions are counted on Linux');
    process.exit(NOT_AVAILABLE);
  }
  const callgrind = spawnSync('valgrind', ['--version']).status === 0;
  const missing = 'not available: valgrind counts the instructions (Debian: apt-get install valgrind)';
  const update = process.argv.includes('--update');
  if (update && !callgrind) {
    console.log(missing);
    process.exit(NOT_AVAILABLE);
  }

  const features = callgrind ? PARTS.map(({ feature }) => feature) : [];
  const without = new Map(features.map((feature) => [feature, buildProgram(feature)]));
  const program = buildProgram();
  const built = seconds(start);
  const costs = await measureAll(program, callgrind);
  const parts = callgrind ? await measureParts(without, costs) : [];
  const tools = toolsHere();
  if (update) writeExpected({ tools, costs });
  const expected = readExpected();
  const sameTools = JSON.stringify(tools) === JSON.stringify(expected.tools);
  const { failed, warned } = compare(expected, costs, parts, sameTools);
  console.log(`built in ${built}, counted in ${seconds(start)}`);

  if (!sameTools) {
    const [theirs, ours] = [expected.tools, tools].map((t) => `${t.rustc}, libc ${t.libc}, ${t.cpu}`);
    console.log(`the expected counts were made with other tools: ${theirs}; here: ${ours}`);
  }
  if (warned > 0) console.log(`! ${warned} beyond the tolerance of 3 %, which other tools may explain`);
  if (failed > 0) {
    console.log(
      `✗ ${failed} of them differ, or are above their maximum. If a difference is meant: npm run check:instructions -- --update`,
    );
    process.exit(1);
  }
  if (!callgrind) {
    console.log(missing);
    process.exit(NOT_AVAILABLE);
  }
}

main();
