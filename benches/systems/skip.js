'use strict';

/** Why a system can't take part, in words for its user. */
class Skip extends Error {
  name = 'Skip';
}

module.exports = { Skip };
