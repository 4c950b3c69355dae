'use strict';
// Draws a chart of a run's main figures as SVG: a panel for each scenario, each with its own scale, and a bar
// for each system. Its colours follow the reader's light or dark scheme.
const { number } = require('./report.js');

/** @type {[scenario: string, title: string][]} */
const PANELS = [
  ['window', 'Requests a second, 1000 in flight'],
  ['flood', 'Requests a second, 100,000 at once'],
  ['seq', 'Round trip of one request, µs'],
  ['stream', 'Partials a second of one request'],
  ['big-text', 'Round trip of a 1 MiB string, ms'],
  ['big-bytes', 'Round trip of a 1 MiB Buffer, ms'],
];

const COLUMNS = 2;
const PANEL = { width: 430, gap: 30, title: 30, bottom: 18 };
const ROW = { height: 22, bar: 14 };
const LABEL = 140;
const VALUE = 70;
const MARGIN = 16;

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 13px; }
  .note { font-size: 11px; fill: #59636e; }
  .ours { fill: #0969da; }
  .other { fill: #afb8c1; }
  .spread { stroke: #1f2328; stroke-opacity: 0.55; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #9198a1; }
    .ours { fill: #4493f8; }
    .other { fill: #59636e; }
    .spread { stroke: #e6edf3; }
  }`;

/** @param {any} results in the form of the JSON file */
function chart(results) {
  const panels = PANELS.flatMap(([name, title]) => {
    const scenario = results.scenarios.find((each) => each.name === name);
    return scenario
      ? [{ ...scenario, title, note: scenario.better === 'higher' ? 'more is better' : 'less is better' }]
      : [];
  });
  let y = MARGIN;
  const body = [];
  for (let i = 0; i < panels.length; i += COLUMNS) {
    const row = panels.slice(i, i + COLUMNS);
    row.forEach((panel, column) => {
      body.push(...draw(panel, MARGIN + column * (PANEL.width + PANEL.gap), y));
    });
    y += Math.max(...row.map(heightOf));
  }
  const width = 2 * MARGIN + COLUMNS * PANEL.width + (COLUMNS - 1) * PANEL.gap;
  const { machine, at, rounds } = results;
  const cores = `${machine.cores} core${machine.cores === 1 ? '' : 's'}`;
  const foot = `Medians and spread of ${rounds} interleaved rounds, broker, worker and client each a process, tcp loopback; ${machine.cpu}, ${cores}, Node ${machine.node}, ${at.slice(0, 10)}`;
  body.push(text(MARGIN, y, foot, 'note'));
  const height = y + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${entities(describe(panels))}">
<style>${STYLE}
</style>
${body.join('\n')}
</svg>
`;
}

function heightOf({ results }) {
  return PANEL.title + results.length * ROW.height + PANEL.bottom;
}

function draw({ title, note, better, results }, x, y) {
  const longest = Math.max(...results.map(({ max }) => max));
  const scale = (PANEL.width - LABEL - VALUE) / longest;
  const sorted = [...results].sort((a, b) =>
    better === 'higher' ? b.median - a.median : a.median - b.median,
  );
  const lines = [text(x, y + 12, title, 'title'), text(x + PANEL.width, y + 12, note, 'note', 'end')];
  sorted.forEach((result, i) => {
    const middle = y + PANEL.title + i * ROW.height + ROW.bar / 2;
    const own = ['ours', 'no-spin', 'transfer'].includes(result.case);
    const left = x + LABEL;
    const end = left + result.max * scale;
    lines.push(
      text(left - 8, middle + 4, result.title, '', 'end'),
      `<rect class="${own ? 'ours' : 'other'}" x="${left}" y="${middle - ROW.bar / 2}" width="${px(Math.max(1, result.median * scale))}" height="${ROW.bar}" rx="2"/>`,
      `<line class="spread" x1="${px(left + result.min * scale)}" x2="${px(end)}" y1="${middle}" y2="${middle}"/>`,
      text(end + 6, middle + 4, number(result.median)),
    );
  });
  return lines;
}

/** The text alternative of the chart. */
function describe(panels) {
  const told = panels.map(({ title, results }) => {
    const values = results.map((result) => `${result.title} ${number(result.median)}`).join(', ');
    return `${title}: ${values}`;
  });
  return told.join('. ');
}

function text(x, y, content, style = '', anchor = 'start') {
  const attributes = `${style && ` class="${style}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${px(x)}" y="${px(y)}"${attributes}>${entities(content)}</text>`;
}

function px(value) {
  return Number(value.toFixed(1));
}

function entities(content) {
  return content.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

module.exports = { chart };
