'use strict';

/** The edit distance of two words. @param {string} a @param {string} b @returns {number} */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same));
    }
    row = next;
  }
  return row[b.length];
}

/**
 * @param {string} word
 * @param {string[]} known
 * @returns {string} a question with the nearest known word, or an empty string
 */
function didYouMean(word, known) {
  const near = known
    .map((each) => ({ each, far: distance(word, each) }))
    .filter(({ each, far }) => far <= Math.max(1, Math.floor(Math.max(word.length, each.length) / 3)))
    .sort((a, b) => a.far - b.far);
  return near.length === 0 ? '' : `; did you mean "${near[0].each}"?`;
}

exports.didYouMean = didYouMean;
