'use strict';
// The records by which the replies of a worker reach the native side, and the end of a delivery with the last of them.

const { onlyEndpoint } = require('./endpoints');
const { WorkerOp } = require('./load');

/** @import { PeerContext } from './common-records' */
/** @import { DataStreams } from './data-streams' */
/** @import { DeliveryTraces } from './delivery-traces' */
/** @import { Durations } from './durations' */
/** @import { Meter } from './meter' */
/** @import { Reply } from './reply' */
/** @import { ServiceSchema } from './schema' */
/** @import { Table } from './table' */
/** @import { Body } from './values' */

/**
 * The state of a worker that its replies change. `ended` is called when a delivery ends with its reply.
 * @typedef {{ running: Table<Reply>, meter: Meter, traces: DeliveryTraces, ended: (id: number) => void }} WorkerState
 */

class ReplyRecords {
  #running;
  #meter;
  #traces;
  #ended;
  /** @type {PeerContext} */
  #context = /** @type {any} */ (undefined);
  /** @type {DataStreams} */
  #streams = /** @type {any} */ (undefined);
  /** @type {Durations} */
  #durations = /** @type {any} */ (undefined);

  /**
   * @param {WorkerState} worker
   * @param {number} maxMessageSize the largest body that may be sent
   * @param {Map<string, ServiceSchema>} [schemas] what the replies of services must match
   */
  constructor({ running, meter, traces, ended }, maxMessageSize, schemas) {
    this.#running = running;
    this.#meter = meter;
    this.#traces = traces;
    this.#ended = ended;
    this.maxMessageSize = maxMessageSize;
    this.schemas = schemas;
  }

  /** @param {PeerContext} context @param {DataStreams} streams @param {Durations} durations */
  attach(context, streams, durations) {
    this.#context = context;
    this.#streams = streams;
    this.#durations = durations;
  }

  /** The endpoint of the broker, if there is exactly one. @returns {string | undefined} */
  get endpoint() {
    return onlyEndpoint(/** @type {any} */ (this.#context.peer).endpoints);
  }

  /** @param {number} id @param {Body} body @param {number} cost */
  partial(id, body, cost) {
    this.#meter.partials += 1;
    if (this.#traces.size > 0) this.#traces.partial(id, body);
    this.#context.outbox.putUrgent(WorkerOp.Partial, id, body, cost);
  }

  /**
   * @param {number} id
   * @param {Body} body
   * @param {number} since when the delivery began
   * @param {boolean} wanted whether the reply is still wanted
   */
  final(id, body, since, wanted) {
    this.#end(WorkerOp.Final, id, body, since, wanted);
  }

  /**
   * @param {number} id
   * @param {Body} body
   * @param {number} since
   * @param {boolean} wanted
   */
  error(id, body, since, wanted) {
    this.#end(WorkerOp.Error, id, body, since, wanted);
  }

  /** Its handler has failed; an error value follows, if the reply has not ended. @param {number} id @param {unknown} error */
  threw(id, error) {
    if (this.#traces.size > 0) this.#traces.threw(id, error);
  }

  /**
   * @param {number} id
   * @param {Body} body the reason
   * @param {number} since when the delivery began
   * @param {boolean} wanted
   */
  reject(id, body, since, wanted) {
    // A rejection counts neither as a reply nor as a failure, and a cancelled delivery was counted.
    if (wanted) this.#meter.error('W_REJECTED');
    this.#end(WorkerOp.Reject, id, body, since, false);
  }

  /** @param {number} id a delivery's, or -1 for the worker itself */
  heartbeat(id) {
    this.#context.outbox.putUrgent(WorkerOp.Heartbeat, id, '');
  }

  /**
   * @param {number} op
   * @param {number} id
   * @param {Body} body
   * @param {number} since
   * @param {boolean} wanted
   */
  #end(op, id, body, since, wanted) {
    // Missing if the worker was stopped in the meantime; its next start does not know these requests.
    if (!this.#running.delete(id)) return;
    this.#ended(id);
    this.#streams.close(id);
    // A cancelled delivery was counted at its cancellation.
    if (wanted && op === WorkerOp.Final) this.#meter.replies += 1;
    else if (wanted) this.#meter.failures += 1;
    this.#durations.end(since);
    this.#context.outbox.put(op, id, body);
    this.#context.roomy();
    if (this.#running.size === 0) this.#context.refresh();
    if (this.#traces.size > 0) this.#traces.replied(id, op, body);
  }
}

exports.ReplyRecords = ReplyRecords;
