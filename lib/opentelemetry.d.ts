import type { InstrumentationConfig } from '@opentelemetry/instrumentation';
import { InstrumentationBase } from '@opentelemetry/instrumentation';

/**
 * Creates spans of kind CLIENT for requests and of kind SERVER for their handling, in one trace: the headers
 * of the request carry the W3C trace context. Records the metrics `rpc.client.call.duration` and
 * `rpc.server.call.duration`.
 *
 * Register it before requests are made; running ones are not traced.
 */
export class ZmqOmdpInstrumentation extends InstrumentationBase {
  constructor(config?: InstrumentationConfig);
  protected init(): [];
}
