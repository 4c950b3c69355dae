'use strict';
// Aggregates single measurements.

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** A quantile of sorted values. */
function quantile(sorted, part) {
  return sorted[Math.round((sorted.length - 1) * part)];
}

/**
 * One entry for each scenario, with one result for each case. `ratio` is the factor by which the first case,
 * this package, is better than the other (for scenarios that scale: the cost relative to the first case).
 */
function summarise(cells, scenarios) {
  return scenarios.flatMap((scenario) => {
    const own = cells.filter((cell) => cell.scenario === scenario.name && cell.rounds.length > 0);
    if (own.length === 0) return [];
    const base = own.find((cell) => cell.id === scenario.baseline(own));
    const results = own.map((cell) => {
      const value = spread(cell.rounds.map((round) => round.value));
      return {
        case: cell.id,
        title: cell.title,
        ...value,
        ratio:
          base === undefined ? null : ratio(scenario, median(base.rounds.map((r) => r.value)), value.median),
        extras: extras(cell.rounds),
        rounds: cell.rounds,
      };
    });
    const { name, title, unit, better, grows = false } = scenario;
    return [{ name, title, unit, better, grows, results }];
  });
}

/** Returns null if there is nothing to compare with. */
function ratio({ better, grows }, base, value) {
  const result = grows || better === 'lower' ? value / base : base / value;
  return Number.isFinite(result) ? result : null;
}

function extras(rounds) {
  const names = new Set(rounds.flatMap((round) => Object.keys(round)));
  names.delete('value');
  const result = {};
  for (const name of names) {
    const values = rounds.map((round) => round[name]).filter(Number.isFinite);
    if (values.length > 0) result[name] = spread(values);
  }
  return result;
}

module.exports = { median, quantile, spread, summarise };
