'use strict';
// Preparation of a measurement: checks that the system works, lets the JIT compilers finish, and determines
// the number of requests for a measurement of the wanted length. The number is fixed before the clock starts.

/** The minimum for a slow system, and the maximum for a fast one. */
const FEWEST = 20;
const MOST = 5_000_000;

/**
 * @param {import('./cluster.js').Cluster} cluster
 * @param {'window' | 'seq' | 'stream'} op
 * @param {(count: number) => object} params of the operation for this number of requests (or parts)
 * @param {number} [first] the number for the first estimate
 * @returns {Promise<number>} the number to measure
 */
async function warmUp(cluster, op, params, first = 500) {
  const { args } = cluster;
  if (op === 'window') await cluster.measure(op, { ...params(400), depth: 100, distinct: true });
  if (args.small) return Math.min(args.smallCount, first);

  let count = first;
  let seconds = 0;
  let last;
  do {
    last = await cluster.measure(op, params(count));
    seconds += last.seconds;
    count = clamp((last.count / last.seconds) * Math.min(args.seconds, 1) * 0.5);
  } while (seconds < Math.min(args.seconds, 1));
  return args.count ?? clamp((last.count / last.seconds) * args.seconds);
}

function clamp(count) {
  return Math.round(Math.min(MOST, Math.max(FEWEST, count)));
}

module.exports = { warmUp };
