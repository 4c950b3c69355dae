'use strict';

/** Why a system cannot take part, for the user. */
class Skip extends Error {
  name = 'Skip';
}

module.exports = { Skip };
