'use strict';

/** @import { EventEmitter } from 'node:events' */

/** The error strings of PIGATO, by the reasons of this package. */
const ERRORS = new Map([
  ['too few frames', 'ERR_MSG_LENGTH'],
  ['too many frames', 'ERR_MSG_LENGTH'],
  ['unknown header', 'ERR_MSG_HEADER'],
  ['unknown command', 'ERR_MSG_TYPE'],
]);

/**
 * Reports an invalid message by the event `error`. Unlike PIGATO, never without a listener, because any peer could then
 * end the process.
 * @param {EventEmitter} emitter
 * @param {string} reason
 */
function reportBad(emitter, reason) {
  if (emitter.listenerCount('error') > 0) emitter.emit('error', ERRORS.get(reason) ?? 'ERR_REQ_INVALID');
}

exports.reportBad = reportBad;
