'use strict';

const { performance } = require('node:perf_hooks');
const { RequestPlace } = require('./load');

/** @import { Brokers } from './brokers' */
/** @import { Request } from './request' */

/**
 * Describes what a request whose time is over was waiting for.
 * @param {Request} request
 * @param {object} client
 * @param {Brokers} client.brokers
 * @param {boolean} client.started whether it was ever started
 * @param {boolean} client.connected to any broker
 * @returns {string}
 */
function timeoutMessage(request, { brokers, started, connected }) {
  const { madeAgainAs, deadline, heard, place, service, since, timeout } = request;
  const again = madeAgainAs === undefined ? '' : ` in attempt ${madeAgainAs}`;
  const late = deadline !== undefined && performance.now() - since >= deadline;
  const what = late
    ? `the deadline of ${deadline} ms for service "${service}" has passed`
    : `no reply from service "${service}" within ${timeout} ms${again}`;
  if (!started) return `${what}: the client was not started`;
  if (!connected) return `${what}: ${brokers.describeMissing()}`;
  const worker = place?.worker === undefined ? 'its worker' : `worker "${place.worker}"`;
  if (heard && late) return `${what}: ${worker} has not sent the whole reply`;
  if (heard) return `${what} after the last part: ${worker} sent nothing more`;
  if (place === undefined) return `${what}: no worker for it at ${brokers}, or its worker did not answer`;
  if (place.at === RequestPlace.NoWorker) return `${what}: no worker is registered for it at ${brokers}`;
  if (place.at === RequestPlace.Queued)
    return `${what}: all workers for it at ${brokers} were busy or paused, or had rejected it`;
  return `${what}: ${worker} has the request and did not answer`;
}

exports.timeoutMessage = timeoutMessage;
