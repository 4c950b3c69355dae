'use strict';

const { AsyncResource } = require('node:async_hooks');

/**
 * The async context in which the package was loaded, without values of any user: notices of the native side are handled in
 * it, and not in the context of the code that happened to start the peer, or to make room for the next request.
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

/** The async context of the caller, to run in it later what belongs to the caller. */
class Scope extends AsyncResource {}

exports.Scope = Scope;
exports.inNobodysScope = inNobodysScope;
