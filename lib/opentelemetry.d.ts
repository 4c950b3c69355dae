import type { InstrumentationConfig } from '@opentelemetry/instrumentation';
import { InstrumentationBase } from '@opentelemetry/instrumentation';

/**
 * Spans of kind CLIENT for requests and of kind SERVER for their handling, in one trace: the W3C trace context travels in
 * the headers of the request. Metrics `rpc.client.call.duration` and `rpc.server.call.duration`.
 *
 * To be registered before the requests are made; what is running already is not traced.
 */
export class ZmqOmdpInstrumentation extends InstrumentationBase {
  constructor(config?: InstrumentationConfig);
  protected init(): [];
}
