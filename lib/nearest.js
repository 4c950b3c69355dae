'use strict';
// The known word that was probably meant, for messages about an unknown one.

/** Longer words are no misspelt names. */
const MAX_LENGTH = 64;

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
 * @param {readonly string[]} known
 * @returns {string} a question with the nearest known word, or an empty string
 */
function didYouMean(word, known) {
  if (word.length > MAX_LENGTH) return '';
  const near = known
    .map((each) => ({ each, far: distance(word, each) }))
    .filter(({ each, far }) => far <= Math.max(1, Math.floor(Math.max(word.length, each.length) / 3)))
    .sort((a, b) => a.far - b.far);
  return near.length === 0 ? '' : `; did you mean "${near[0].each}"?`;
}

/**
 * @param {string} word
 * @param {readonly string[]} known
 * @returns {string} the end of a message about an unknown word
 */
function knownAre(word, known) {
  const question = didYouMean(word, known);
  return `${question}${question === '' ? '; the' : ' The'} known ones are: ${known.join(', ')}`;
}

exports.didYouMean = didYouMean;
exports.knownAre = knownAre;
