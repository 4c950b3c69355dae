'use strict';
// The targets of this package, and whether a run reaches them.

/** `times`: this package is better than `versus` by this factor. */
const TARGETS = [
  { scenario: 'window', versus: 'original', times: 30 },
  { scenario: 'window', versus: 'bare', times: 1.2 },
  { scenario: 'window', versus: 'zeromq', times: 3 },
  { scenario: 'window', versus: 'nats', times: 6 },
  { scenario: 'flood', versus: 'original', times: 30 },
  {
    scenario: 'flood',
    versus: 'original',
    extra: 'clientPeakMiB',
    what: "peak of the client's memory",
    unit: 'MiB',
  },
  ...['bare', 'zeromq', 'nats'].map((versus) => ({ scenario: 'seq', versus, times: 1.15 })),
  { scenario: 'stream', versus: 'original', times: 12 },
  { scenario: 'big-text', versus: 'original', times: 4 },
  { scenario: 'big-bytes', versus: 'original', times: 10 },
  { scenario: 'listeners', versus: 'original', times: 18 },
  ...['services', 'workers', 'clients', 'waiting', 'queue'].map((each) => ({
    scenario: `scale-${each}`,
    growth: 1.3,
  })),
  { scenario: 'loop', below: 2, unit: 'ms' },
  { scenario: 'memory-waiting', below: 400, unit: 'bytes' },
  { scenario: 'memory-peers', of: 'ours clients', beyond: 'bare clients', below: 2048, unit: 'bytes' },
  { scenario: 'memory-peers', of: 'ours workers', beyond: 'bare workers', below: 2048, unit: 'bytes' },
];

/** Judges each target for which the results have the necessary data. */
function judge({ scenarios }) {
  return TARGETS.flatMap((target) => {
    const scenario = scenarios.find(({ name }) => name === target.scenario);
    const result = (name) => scenario?.results.find((each) => each.case === name);
    const ours = result(target.of ?? 'ours');
    if (target.growth !== undefined) return scenario === undefined ? [] : growth(target, scenario);
    if (ours === undefined) return [];
    if (target.below !== undefined) return below(target, ours, result);
    const other = result(target.versus);
    if (other === undefined) return [];
    return target.extra ? noMore(target, ours, other) : beats(target, scenario, ours, other);
  });
}

function beats({ of, scenario: name, versus, times }, { better }, ours, other) {
  const ratio = better === 'higher' ? ours.median / other.median : other.median / ours.median;
  const what = `${name}${of ? `, ${of}` : ''} beside ${versus}`;
  return { what, wanted: `≥ ${round(times)} ×`, got: `${round(ratio)} ×`, met: ratio >= times };
}

function noMore({ scenario, extra, what, unit, versus }, ours, other) {
  const [mine, theirs] = [ours, other].map((result) => result.extras[extra]?.median);
  if (mine === undefined || theirs === undefined) return [];
  const wanted = `≤ ${round(theirs)} ${unit} (${versus})`;
  return { what: `${scenario}: ${what}`, wanted, got: `${round(mine)} ${unit}`, met: mine <= theirs };
}

function below({ scenario, of, beyond, below: limit, unit }, ours, result) {
  const base = beyond === undefined ? 0 : result(beyond)?.median;
  if (base === undefined) return [];
  const value = ours.median - base;
  const what = `${scenario}${of ? `: ${of} beyond ${beyond}` : ''}`;
  return { what, wanted: `≤ ${limit} ${unit}`, got: `${round(value)} ${unit}`, met: value <= limit };
}

/** The largest growth of all sizes: one request at a time, and with 1000 in flight. */
function growth({ scenario, growth: limit }, { results }) {
  const first = results[0];
  const last = results.at(-1);
  if (first === last) return [];
  const ratios = [last.median / first.median];
  if (last.extras.windowUs) ratios.push(last.extras.windowUs.median / first.extras.windowUs.median);
  return {
    what: `${scenario}: ${first.title} → ${last.title}`,
    wanted: `< ${limit} ×`,
    got: ratios.map((ratio) => `${round(ratio)} ×`).join(', in flight '),
    met: ratios.every((ratio) => ratio < limit),
  };
}

function round(value) {
  return Number(value.toPrecision(3));
}

module.exports = { judge };
