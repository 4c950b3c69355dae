'use strict';
// Formats results as Markdown.
const { judge } = require('./targets.js');

/**
 * Titles of additional figures, with their numbers of digits.
 * @type {Record<string, [title: string, digits?: number]>}
 */
const EXTRAS = {
  clientPeakMiB: ["client's peak, MiB"],
  clientGrowthMiB: ['of it the flood'],
  p99: ['p99'],
  p50: ['p50'],
  max: ['max'],
  idleP99: ['p99 when idle'],
  rate: ['requests/s meanwhile'],
  brokerCpu: ['CPU µs of the broker'],
  workerCpu: ['of the worker'],
  clientCpu: ['of the client'],
  brokerPeakMiB: ["broker's peak, MiB"],
  brokerCpuPercent: ['of it the broker'],
  workerCpuPercent: ['the worker'],
  clientCpuPercent: ['the client'],
  windowUs: ['µs, 1000 in flight'],
  windowBrokerCpu: ['CPU µs of the broker, 1000 in flight'],
};

function report(results) {
  const { machine, build, systems, rounds, skipped, failed } = results;
  const lines = [
    `Measured ${results.at.slice(0, 10)} with \`${results.command}\`: medians of ${rounds} interleaved round(s).`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node};`,
    `load average ${machine.load.join(' ')} before, ${machine.loadAfter.join(' ')} after.`,
    `The addon: ${build.profile}, ${(build.bytes / 2 ** 20).toFixed(1)} MiB.`,
    '',
    ...systems.map(({ title, version }) => `- ${title}: ${version}`),
  ];
  if (build.profile !== 'release') lines.push('', '**This is no release build: the figures mean nothing.**');
  for (const { system, scenario, reason } of skipped)
    lines.push('', `Left out: ${system ?? scenario}: ${reason}`);
  for (const each of failed)
    lines.push('', `**FAILED: ${each.scenario}, ${each.case}, round ${each.round}: ${each.reason}**`);
  for (const scenario of results.scenarios) lines.push('', ...table(scenario));
  const judged = judge(results);
  if (judged.length > 0) lines.push('', ...targets(judged));
  return `${lines.join('\n')}\n`;
}

function table({ name, title, unit, grows, results }) {
  const extras = Object.keys(EXTRAS).filter((extra) => results.some((result) => extra in result.extras));
  const withRatio = results.some(({ ratio }) => ratio !== null) && results.length > 1;
  const ratio = grows ? ['growth'] : ['ours is'];
  const head = [
    '',
    unit,
    'min – max',
    ...(withRatio ? ratio : []),
    ...extras.map((extra) => EXTRAS[extra][0]),
  ];
  const rows = results.map((result) => [
    result.title,
    number(result.median),
    `${number(result.min)} – ${number(result.max)}`,
    ...(withRatio ? [result.ratio === null ? '' : times(result.ratio)] : []),
    ...extras.map((extra) => (extra in result.extras ? number(result.extras[extra].median) : '')),
  ]);
  return [`**${name}**: ${title}`, '', ...markdown(head, rows)];
}

function targets(judged) {
  const rows = judged.map(({ what, wanted, got, met }) => [what, wanted, got, met ? 'yes' : '**no**']);
  return ['**Aims**', '', ...markdown(['', 'aim', 'measured', 'met'], rows)];
}

/** Aligns numbers to the right, so that they are comparable as plain text. */
function markdown(head, rows) {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i].length)));
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)];
}

function times(ratio) {
  return `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)} ×`;
}

/** Formats a number with three digits: a fourth would be noise. */
function number(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(Number(value.toPrecision(3))).toLocaleString('en');
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

module.exports = { markdown, number, report };
