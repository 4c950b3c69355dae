'use strict';
// All scenarios, in the order of their execution.
const { Usage } = require('../harness/args.js');

const scenarios = [
  ...require('./window.js'),
  ...require('./seq.js'),
  ...require('./large.js'),
  ...require('./trickle.js'),
  ...require('./stream.js'),
  ...require('./loop.js'),
  ...require('./scale.js'),
  ...require('./memory.js'),
];

/** @param {string[] | undefined} names of scenarios, or of groups: the part before their first dash */
function pickScenarios(names) {
  if (names === undefined) return scenarios;
  const matches = (scenario, name) => scenario.name === name || scenario.name.startsWith(`${name}-`);
  for (const name of names) {
    if (!scenarios.some((scenario) => matches(scenario, name))) throw new Usage(`no such scenario: ${name}`);
  }
  return scenarios.filter((scenario) => names.some((name) => matches(scenario, name)));
}

module.exports = { pickScenarios, scenarios };
