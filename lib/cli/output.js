'use strict';

const { printable, shownName } = require('../printable');

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

/** The width that a column of names keeps before other columns are left out, and the width that it always keeps. */
const [ENOUGH, MIN_NAME] = [12, 8];

/**
 * A column of a table. The shorter title is for narrow terminals, on which columns with a higher `spare` are left out
 * first.
 * @typedef {{ title: string, short?: string, isNumber?: boolean, spare?: number }} Column
 */

/** @param {string} title that of a numeric column begins with `>` @returns {Column} */
function columnOf(title) {
  return { title: title.replace('>', ''), isNumber: title.startsWith('>') };
}

/**
 * @param {(string | Column)[]} titles
 * @param {unknown[][]} rows the first cells are names
 * @param {number} [width] of a terminal whose lines must not be broken
 * @returns {string} a line of titles and a line for each row
 */
function table(titles, rows, width = Number.POSITIVE_INFINITY) {
  const columns = titles.map((title, at) => ({
    ...(typeof title === 'string' ? columnOf(title) : title),
    cells: rows.map((row) => shownName(row[at])),
  }));
  const [names, ...others] = fitted(columns, width);
  const shown = [names, ...others].map(({ title, cells }) => [title, ...cells]);
  const widths = shown.map((cells) => Math.max(...cells.map(widthOf)));
  const taken = widths.slice(1).reduce((sum, each) => sum + each + 2, 0);
  widths[0] = Math.min(widths[0], Math.max(MIN_NAME, width - taken));
  const lines = shown[0].map((_name, line) => {
    const cells = shown.map((column, at) => {
      const text = at === 0 ? cut(column[line], widths[0]) : column[line];
      const blanks = ' '.repeat(widths[at] - widthOf(text));
      return [names, ...others][at].isNumber ? blanks + text : text + blanks;
    });
    return `${cut(cells.join('  ').trimEnd(), width)}\n`;
  });
  return lines.join('');
}

/**
 * The columns that a terminal has room for.
 * @template {Column & { cells: string[] }} C
 * @param {C[]} columns
 * @param {number} width
 * @returns {C[]}
 */
function fitted(columns, width) {
  /** @param {C} column */
  const needed = ({ title, cells }) => Math.max(...[title, ...cells].map(widthOf));
  /** @param {C[]} kept */
  const isRoom = ([names, ...others]) =>
    Math.min(ENOUGH, needed(names)) + others.reduce((sum, each) => sum + needed(each) + 2, 0) <= width;
  if (isRoom(columns)) return columns;
  let kept = columns.map((column) => ({ ...column, title: column.short ?? column.title }));
  while (!isRoom(kept)) {
    const spare = Math.max(...kept.map((column) => column.spare ?? 0));
    if (spare === 0) return kept;
    kept = kept.filter((column) => column.spare !== spare);
  }
  return kept;
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
exports.shownName = shownName;
exports.sumOf = sumOf;
exports.table = table;
