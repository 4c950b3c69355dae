'use strict';

/**
 * Makes a value printable on a terminal: peers choose names, which may contain control sequences, and characters that
 * reverse the direction of the text around them, or are not seen. The form of these characters is that of JSON.
 * @param {unknown} value
 * @returns {string}
 */
function printable(value) {
  const forbidden =
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it replaces these characters
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  return String(value).replace(forbidden, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Characters that have no width of their own, and those that take two columns of a terminal. */
const MARKS = /[\p{Mn}\p{Me}\u200c\u200d]/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** How many columns a character takes. @param {string} character @returns {number} */
function columnsOf(character) {
  if (character < '\u0300') return 1;
  if (MARKS.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** How many columns of a terminal a text takes. @param {string} text @returns {number} */
function widthOf(text) {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** Cuts a text that is too wide, and marks that. @param {string} text @param {number} width @returns {string} */
function cut(text, width) {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let left = width - 1;
  for (const character of text) {
    left -= columnsOf(character);
    if (left < 0) break;
    kept += character;
  }
  return width < 1 ? '' : `${kept}…`;
}

/** What remains of a column of names when a table is too wide. */
const MIN_NAME = 8;

/**
 * @param {string[]} titles those of numeric columns begin with `>`
 * @param {unknown[][]} rows
 * @param {number} [width] of a terminal whose lines must not be broken: the first column is cut first
 * @returns {string} a line of titles and a line for each row
 */
function table(titles, rows, width = Number.POSITIVE_INFINITY) {
  const lines = [titles.map((title) => title.replace('>', '')), ...rows.map((row) => row.map(printable))];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column]))));
  const others = widths.slice(1).reduce((sum, each) => sum + each + 2, 0);
  widths[0] = Math.min(widths[0], Math.max(MIN_NAME, width - others));
  return lines
    .map((line) => {
      const cells = line.map((cell, column) => {
        const text = column === 0 ? cut(cell, widths[0]) : cell;
        const blanks = ' '.repeat(widths[column] - widthOf(text));
        return titles[column].startsWith('>') ? blanks + text : text + blanks;
      });
      return `${cut(cells.join('  ').trimEnd(), width)}\n`;
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

exports.cut = cut;
exports.duration = duration;
exports.jsonOf = jsonOf;
exports.printJson = printJson;
exports.printable = printable;
exports.sumOf = sumOf;
exports.table = table;
