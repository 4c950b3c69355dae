'use strict';

/**
 * A scenario that compares systems: one case for each system that supports its `needs`.
 * @param {{ name: string, title: string, unit: string, better: 'higher' | 'lower', needs: string,
 *   measure: (cluster: import('../harness/cluster.js').Cluster, cell: any) => Promise<any> }} scenario
 */
function comparison(scenario) {
  const suits = (system) =>
    system.can.includes(scenario.needs) && (system.only === undefined || system.only.includes(scenario.name));
  return {
    ...scenario,
    suits,
    cases: (systems) => ({
      cases: systems.filter(suits).map((system) => ({ id: system.name, title: system.title, system })),
    }),
    baseline: () => 'ours',
  };
}

module.exports = { comparison };
