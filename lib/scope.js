'use strict';

const { AsyncResource } = require('node:async_hooks');

/**
 * The async context in which the package was loaded, without values of any user. Notices of the native side
 * are handled in it, and not in the context of the code that started the peer or made room for the next
 * request.
 */
const NOBODY = new AsyncResource('zmq-omdp');

/**
 * Runs `action` in the empty async context.
 * @template T
 * @param {() => T} action
 * @returns {T}
 */
function inNobodysScope(action) {
  return NOBODY.runInAsyncScope(action);
}

/** The async context of a caller, in which its callbacks run later. */
class Scope extends AsyncResource {}

exports.Scope = Scope;
exports.inNobodysScope = inNobodysScope;
