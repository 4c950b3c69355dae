'use strict';

/**
 * Makes a value printable on a terminal: peers choose names, which may contain control sequences, and characters that
 * reverse the direction of the text around them. The form of these characters is that of JSON.
 * @param {unknown} value
 * @returns {string}
 */
function printable(value) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it replaces these characters
  const forbidden = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]/g;
  return String(value).replace(forbidden, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * @param {string[]} titles those of numeric columns begin with `>`
 * @param {unknown[][]} rows
 * @returns {string} a line of titles and a line for each row
 */
function table(titles, rows) {
  const lines = [titles.map((title) => title.replace('>', '')), ...rows.map((row) => row.map(printable))];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) => {
      const cells = line.map((cell, column) => {
        return titles[column].startsWith('>') ? cell.padStart(widths[column]) : cell.padEnd(widths[column]);
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** @param {number} ms @returns {string} */
function duration(ms) {
  if (ms >= 86_400_000) return `${Math.floor(ms / 86_400_000)} d`;
  if (ms >= 3_600_000) return `${Math.floor(ms / 3_600_000)} h`;
  if (ms >= 60_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 100 || ms === 0 ? ms.toFixed(0) : ms.toPrecision(3)} ms`;
}

/** @param {Record<string, number>} counts @returns {number} */
function sumOf(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** @param {unknown} value @returns {string} one line, whose strings are printable */
function jsonOf(value) {
  return printable(JSON.stringify(value));
}

/** @param {unknown} value */
function printJson(value) {
  process.stdout.write(`${jsonOf(value)}\n`);
}

exports.duration = duration;
exports.jsonOf = jsonOf;
exports.printJson = printJson;
exports.printable = printable;
exports.sumOf = sumOf;
exports.table = table;
