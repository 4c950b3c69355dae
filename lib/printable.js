'use strict';
// Texts of peers in the form that a terminal or a page can show.

const { INVISIBLE } = require('./invisible');

/** @param {string} unit of UTF-16 */
function escaped(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/**
 * Makes a value printable: peers choose names and error values, which may contain control sequences. The form of the
 * replaced characters is that of JSON, in which they may be replaced too.
 * @param {unknown} value
 * @returns {string}
 */
function printable(value) {
  return String(value).replace(INVISIBLE, (character) => character.split('').map(escaped).join(''));
}

/**
 * A name among other words. It is in quotes if its beginning or end would be invisible.
 * @param {unknown} name
 * @returns {string}
 */
function shownName(name) {
  const text = String(name);
  return printable(/^\s|\s$/.test(text) ? `"${text}"` : text);
}

exports.printable = printable;
exports.shownName = shownName;
