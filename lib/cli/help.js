'use strict';
// Help texts, broken at the width of the terminal.

/** Where the descriptions of options begin. */
const INDENT = 28;
const [MIN_WIDTH, USUAL_WIDTH, MAX_WIDTH] = [80, 100, 120];

/** @param {string[]} words @param {number} width @returns {string[]} */
function broken(words, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  }
  return lines;
}

/** @param {string} paragraph @param {number} width @returns {string} */
function fittedParagraph(paragraph, width) {
  if (/^\S/.test(paragraph)) return broken(paragraph.split(/\s+/), width).join('\n');
  return paragraph
    .split('\n')
    .map((line) => {
      const start = line.slice(0, INDENT);
      if (line.length <= width || !start.endsWith(' ')) return line;
      const lines = broken(line.slice(INDENT).split(' '), width - INDENT);
      return start + lines.join(`\n${' '.repeat(INDENT)}`);
    })
    .join('\n');
}

/**
 * @param {string} help paragraphs of text, and of options, whose lines are indented
 * @param {number} [columns] the width of the terminal
 * @returns {string}
 */
function fitted(help, columns = USUAL_WIDTH) {
  const width = Math.max(MIN_WIDTH, Math.min(columns, MAX_WIDTH));
  const paragraphs = help.trimEnd().split('\n\n');
  return `${paragraphs.map((paragraph) => fittedParagraph(paragraph, width)).join('\n\n')}\n`;
}

exports.fitted = fitted;
