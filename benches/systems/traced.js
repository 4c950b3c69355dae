'use strict';
// This package with OpenTelemetry's SDK: a span for each request and one for its handling, in one trace, in
// batches as for an export.
const observed = require('./observed.js');
const ours = require('./ours.js');

/** Instruments this process. */
function instrument() {
  const { registerInstrumentations } = require('@opentelemetry/instrumentation');
  const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
  const { ZmqOmdpInstrumentation } = require('../../lib/opentelemetry');
  const exporter = {
    export: (_spans, done) => done({ code: 0 }),
    shutdown: async () => {},
  };
  new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }).register();
  registerInstrumentations({ instrumentations: [new ZmqOmdpInstrumentation()] });
}

module.exports = {
  ...observed,
  name: 'traced',
  title: 'zmq-omdp 1.0, observed and traced',

  worker(conf, tally) {
    instrument();
    return ours.worker(conf, tally);
  },
  client(conf) {
    instrument();
    return ours.client(conf);
  },
};
