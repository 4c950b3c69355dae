'use strict';
// The known word that was probably meant, for messages about an unknown one.

/** Longer words are no misspelt names. */
const MAX_LENGTH = 64;

/** Less than another letter, which changes the word more. */
const SWAP = 0.75;
/** Of a word that another one begins with: it was cut off. */
const CUT = 0.5;

/**
 * The edit distance of two words: letters that are missing, added, wrong, or swapped with the next one.
 * @param {string} a
 * @param {string} b
 * @returns {number}
 */
function distance(a, b) {
  let before = [0];
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2] + SWAP);
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}

/** The letters of a word that tell it from others. @param {string} word */
const lettersOf = (word) => word.replace(/^-+/, '').length;

/** @param {string} word @param {string} known */
function farFrom(word, known) {
  if (lettersOf(word) >= 3 && known.startsWith(word)) return CUT;
  return distance(word, known);
}

/**
 * @param {string} word
 * @param {readonly string[]} known
 * @returns {string} a question with the nearest known word, or an empty string
 */
function didYouMean(word, known) {
  if (word.length > MAX_LENGTH) return '';
  const near = known
    .map((each) => ({ each, far: farFrom(word, each) }))
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
