'use strict';
// Runs all rounds of a benchmark in an order that treats all systems alike: A B C, A B C, …. A temporary
// disturbance of the machine thus affects all of them.
const { Cluster } = require('./cluster.js');

/**
 * @returns {Promise<{ cells: any[], failed: any[] }>} the rounds of each scenario and case, and the failures
 */
async function runRounds(scenarios, systems, skipped, args) {
  const plan = scenarios.flatMap((scenario) => {
    const { cases, reason } = scenario.cases(systems, args);
    if (reason !== undefined) {
      console.log(`${scenario.name}: ${reason}`);
      skipped.push({ scenario: scenario.name, reason });
    }
    return cases.map((each) => ({
      ...each,
      scenario: scenario.name,
      run: scenario,
      rounds: [],
      over: false,
    }));
  });
  const meter = new Meter(plan.length * args.rounds);
  const failed = [];
  for (const { name } of scenarios) {
    const cells = plan.filter((cell) => cell.scenario === name);
    for (let round = 1; round <= args.rounds; round += 1) {
      for (const cell of cells) await runOnce(cell, round, args, meter, failed);
    }
  }
  return { cells: plan, failed };
}

async function runOnce(cell, round, args, meter, failed) {
  const where = `${cell.scenario}, round ${round} of ${args.rounds}, ${cell.title}`;
  if (cell.over) return meter.skip();
  const cluster = new Cluster(cell.system, args);
  try {
    const result = await cell.run.measure(cluster, cell);
    cell.rounds.push(result);
    meter.step(`${where}: ${format(result.value)} ${cell.run.unit}`);
  } catch (error) {
    // This system takes no further part; the others continue, so that one failure does not end the run.
    cell.over = true;
    failed.push({ scenario: cell.scenario, case: cell.id, round, reason: firstLines(error.message) });
    meter.step(`${where}: FAILED: ${error.message}`);
  } finally {
    await cluster.stop();
  }
}

/** Reports the progress. */
class Meter {
  #start = performance.now();
  #done = 0;
  #total;

  constructor(total) {
    this.#total = total;
  }

  skip() {
    this.#total -= 1;
  }

  step(text) {
    this.#done += 1;
    const each = (performance.now() - this.#start) / this.#done;
    const minutes = (each * (this.#total - this.#done)) / 60_000;
    const left = minutes < 1 ? 'less than a minute' : `about ${Math.round(minutes)} min`;
    const digits = String(this.#total).length;
    console.log(`[${String(this.#done).padStart(digits)}/${this.#total}] ${text} (${left} left)`);
  }
}

/** The second line is the first one of a process's last output. */
function firstLines(text) {
  return text.split('\n').slice(0, 2).join(' ');
}

function format(value) {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

module.exports = { runRounds };
