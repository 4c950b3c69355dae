'use strict';
// Invisible characters; for the terminal, and for the page, which loads this file as a script.

/**
 * Control characters, halves of pairs, characters that are not seen or reverse the direction of the text around them,
 * and separators of lines.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\u2800\ufff9-\ufffb]/gu;

if (typeof exports === 'object') exports.INVISIBLE = INVISIBLE;
