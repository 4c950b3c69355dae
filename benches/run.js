'use strict';
// `npm run bench`: compares this package with others, one scenario after the other, in interleaved rounds.
// Prints the progress, then tables in Markdown, and writes all figures to a JSON file. `-- --help` lists the
// options.
const fs = require('node:fs');
const path = require('node:path');
const { binaryPath } = require('../scripts/addon.js');
const { ensure } = require('../scripts/ensure.js');
const { root } = require('../scripts/platforms.js');
const { HELP, readArgs } = require('./harness/args.js');
const { chart } = require('./harness/chart.js');
const { buildState, describeMachine } = require('./harness/machine.js');
const { report } = require('./harness/report.js');
const { runRounds } = require('./harness/rounds.js');
const { summarise } = require('./harness/stats.js');
const { scenarios, pickScenarios } = require('./scenarios');
const { systems, pickSystems } = require('./systems');

async function main() {
  const args = readArgs(process.argv.slice(2));
  if (args.help) return console.log(HELP);
  if (args.list) return list();
  if (args.report !== undefined) {
    const results = JSON.parse(fs.readFileSync(args.report, 'utf8'));
    console.log(report(results));
    if (args.chart !== undefined) fs.writeFileSync(args.chart, chart(results));
    return;
  }

  const chosen = pickScenarios(args.only);
  const wanted = pickSystems(args.systems);
  // The published form is measured, unless any binary will do.
  if (!args.asBuilt) ensure('release');
  else if (!fs.existsSync(binaryPath())) ensure();
  const machine = describeMachine();
  const { ready, skipped } = await prepare(wanted, chosen, args);
  const runs = await runRounds(chosen, ready, skipped, args);
  const results = {
    schema: 1,
    at: new Date().toISOString(),
    command: args.command,
    build: buildState(),
    machine: { ...machine, loadAfter: describeMachine().load },
    rounds: args.rounds,
    systems: ready.map(({ name, title, version }) => ({ name, title, version })),
    skipped,
    failed: runs.failed,
    scenarios: summarise(runs.cells, chosen),
  };

  const file = path.resolve(args.json ?? path.join(root, 'benches', 'results', 'latest.json'));
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  if (args.chart !== undefined) fs.writeFileSync(args.chart, chart(results));
  console.log(`\n${report(results)}`);
  console.log(`Written: ${path.relative(process.cwd(), file)}`);
  if (runs.failed.length > 0) {
    console.error(`\n${runs.failed.length} run(s) FAILED, see above.`);
    process.exitCode = 1;
  }
}

/** Installs or builds the systems, and determines which of them cannot take part. */
async function prepare(wanted, chosen, args) {
  const ready = [];
  const skipped = [];
  for (const system of wanted) {
    if (!chosen.some((scenario) => scenario.suits(system))) continue;
    if (args.transport === 'ipc' && !system.ipc) {
      skipped.push({ system: system.name, reason: 'it has no ipc' });
      continue;
    }
    try {
      const { version, conf } = await system.prepare(args);
      ready.push({ ...system, version, conf });
    } catch (error) {
      if (error.name !== 'Skip') throw error;
      console.log(`skipping ${system.name}: ${error.message}`);
      skipped.push({ system: system.name, reason: error.message });
    }
  }
  return { ready, skipped };
}

function list() {
  console.log('scenarios:');
  for (const { name, title } of scenarios) console.log(`  ${name.padEnd(16)} ${title}`);
  console.log('systems:');
  for (const { name, title } of systems) console.log(`  ${name.padEnd(16)} ${title}`);
}

main().catch((error) => {
  console.error(error.name === 'Usage' ? error.message : error);
  process.exit(1);
});
