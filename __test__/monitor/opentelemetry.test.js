'use strict';
// The instrumentation with the real SDK.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { SERVICE, peersFor } = require('../support/peers');

/** In a process of its own, which has an SDK that keeps what it is given: `otel.spans()` and `otel.metrics()`. */
function withSdk(program) {
  return `(args) => {
    const { SpanKind, SpanStatusCode, context, trace } = require('@opentelemetry/api');
    const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
    const { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } =
      require('@opentelemetry/sdk-metrics');
    const { registerInstrumentations } = require('@opentelemetry/instrumentation');
    const { ZmqOmdpInstrumentation } = require('zmq-omdp/opentelemetry');
    const exporter = new InMemorySpanExporter();
    const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    provider.register();
    const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 2 ** 30 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    const instrumentation = new ZmqOmdpInstrumentation();
    registerInstrumentations({ instrumentations: [instrumentation], tracerProvider: provider, meterProvider });
    const otel = {
      context, trace, instrumentation, SpanKind,
      spans: () => exporter.getFinishedSpans().map((span) => ({
        name: span.name,
        kind: SpanKind[span.kind],
        trace: span.spanContext().traceId,
        id: span.spanContext().spanId,
        parent: span.parentSpanContext?.spanId,
        attributes: span.attributes,
        status: SpanStatusCode[span.status.code],
        events: span.events.map(({ name, attributes }) => [name, attributes]),
      })),
      metrics: async () => {
        await reader.forceFlush();
        const [{ scopeMetrics }] = metricExporter.getMetrics().slice(-1);
        return scopeMetrics.flatMap(({ metrics }) => metrics).map(({ descriptor, dataPoints }) => ({
          name: descriptor.name,
          unit: descriptor.unit,
          points: dataPoints.map(({ attributes, value }) => ({ attributes, count: value.count, sum: value.sum })),
        }));
      },
    };
    return (${program})({ ...args, otel });
  }`;
}

const runWorker = withSdk(async ({ omdp, say, otel, endpoint, service, next }) => {
  const worker = new omdp.Worker(endpoint, service, { name: `W-${service}`, concurrency: 4 });
  const client = new omdp.Client(endpoint);
  worker.on('request', async (data, reply, opts) => {
    if (data === 'fail') throw Object.assign(new Error('failed'), { code: 'E_MINE' });
    await otel.trace.getTracer('handler').startActiveSpan('inner', async (span) => {
      reply.write('part');
      const result = next === undefined ? 'done' : await client.call(next, data);
      span.end();
      reply.end([result, opts.headers]);
    });
  });
  await Promise.all([worker.start(), client.start()]);
  process.stdin.on('data', async () => say('spans', [otel.spans(), await otel.metrics()]));
  say('ready');
});

const runClient = withSdk(async ({ omdp, say, otel, endpoint, calls }) => {
  const client = new omdp.Client(endpoint, { name: 'C1' });
  await client.start();
  await otel.trace.getTracer('test').startActiveSpan('root', async (root) => {
    const replies = [];
    for (const [service, data, opts] of calls) {
      replies.push(await client.call(service, data, opts).catch(({ code, message }) => ({ code, message })));
    }
    root.end();
    say('done', { replies, spans: otel.spans(), metrics: await otel.metrics() });
  });
  await client.stop();
});

async function spansOf(worker) {
  worker.tell('spans');
  return (await worker.said('spans')).value;
}

test('one trace across three processes, with the right parents', async (t) => {
  const peers = peersFor(t, 'tcp');
  await peers.broker().start();
  const { endpoint } = peers;
  const [front, back] = [
    runChild(t, runWorker, { endpoint, service: 'front', next: 'back' }),
    runChild(t, runWorker, { endpoint, service: 'back' }),
  ];
  await Promise.all([front.said('ready'), back.said('ready')]);
  const calls = [['front', 'data', { headers: { mine: 1 } }]];
  const { value } = await runChild(t, runClient, { endpoint, calls }).said('done');
  const named = (spans, name, kind) => spans.find((span) => span.name === name && span.kind === kind);
  const [atFront, frontMetrics] = await spansOf(front);
  const [atBack] = await spansOf(back);

  const root = named(value.spans, 'root', 'INTERNAL');
  const request = named(value.spans, 'front', 'CLIENT');
  const handling = named(atFront, 'front', 'SERVER');
  const inner = named(atFront, 'inner', 'INTERNAL');
  const nested = named(atFront, 'back', 'CLIENT');
  const handledBack = named(atBack, 'back', 'SERVER');
  const innerBack = named(atBack, 'inner', 'INTERNAL');
  const chain = [root, request, handling, inner, nested, handledBack, innerBack];
  for (const [index, span] of chain.entries()) {
    assert.equal(span.trace, root.trace);
    assert.equal(span.parent, chain[index - 1]?.id, span.name);
  }
  assert.equal(value.spans.length + atFront.length + atBack.length, chain.length);

  const [, port] = /:(\d+)$/.exec(endpoint);
  const [[result, headers]] = value.replies;
  assert.equal(result[0], 'done');
  assert.deepEqual(headers, { mine: 1, traceparent: `00-${root.trace}-${request.id}-01` });
  assert.deepEqual(request.attributes, {
    'rpc.system.name': 'zmq-omdp',
    'rpc.method': 'front',
    'server.address': /\/\/(.*):/.exec(endpoint)[1],
    'server.port': Number(port),
    'zmq_omdp.client.name': 'C1',
    'zmq_omdp.request.size': 6,
    'zmq_omdp.reply.size': request.attributes['zmq_omdp.reply.size'],
    'zmq_omdp.reply.partials': 1,
  });
  assert.deepEqual(
    request.events.map(([name]) => name),
    ['partial'],
  );
  assert.equal(handling.attributes['zmq_omdp.worker.name'], 'W-front');
  assert.equal(handling.status, 'UNSET');

  const [duration] = value.metrics;
  assert.deepEqual([duration.name, duration.unit], ['rpc.client.call.duration', 's']);
  assert.equal(duration.points[0].count, 1);
  assert.deepEqual(frontMetrics.map(({ name }) => name).sort(), [
    'rpc.client.call.duration',
    'rpc.server.call.duration',
  ]);
});

test('the size of a request whose data are a stream is that of all its parts', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  await peers.broker().start();
  const program = withSdk(async ({ omdp, say, endpoint: at, service, otel }) => {
    const worker = new omdp.Worker(at, service);
    worker.on('request', async (data, reply) => {
      for await (const _part of data);
      reply.end();
    });
    const client = new omdp.Client(at);
    await Promise.all([worker.start(), client.start()]);
    await client.call(service, require('node:stream').Readable.from([Buffer.alloc(10), Buffer.alloc(20)]));
    const sizes = otel.spans().map(({ kind, attributes }) => [kind, attributes['zmq_omdp.request.size']]);
    say('done', sizes.sort());
    await client.stop();
    await worker.stop();
  });
  const { value } = await runChild(t, program, { endpoint, service: SERVICE }).said('done');
  assert.deepEqual(value, [
    ['CLIENT', 30],
    ['SERVER', 30],
  ]);
});

test('errors have their code, on both sides, and a second start is an event', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  await peers.broker().start();
  const worker = runChild(t, runWorker, { endpoint, service: SERVICE });
  await worker.said('ready');
  const calls = [
    [SERVICE, 'fail'],
    ['nobody', 0, { failFast: true }],
  ];
  const { value } = await runChild(t, runClient, { endpoint, calls }).said('done');
  assert.deepEqual(value.replies, [
    { code: 'E_MINE', message: 'failed' },
    { code: 'W_NONE', message: 'no worker offers the service' },
  ]);
  const outcomes = value.spans
    .filter(({ kind }) => kind === 'CLIENT')
    .map(({ attributes, status }) => [attributes['error.type'], attributes['rpc.status_code'], status]);
  assert.deepEqual(outcomes, [
    ['E_MINE', 'E_MINE', 'ERROR'],
    ['W_NONE', 'W_NONE', 'ERROR'],
  ]);
  const [[handling]] = await spansOf(worker);
  assert.deepEqual([handling.attributes['error.type'], handling.status], ['E_MINE', 'ERROR']);
  const [{ points }] = value.metrics;
  assert.deepEqual(points.map(({ attributes }) => attributes['error.type']).sort(), ['E_MINE', 'W_NONE']);
});

test('types of errors are names of errors or codes, and bounded in number', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  await peers.broker().start();
  const program = withSdk(async ({ omdp, say, otel, endpoint: at, service }) => {
    const worker = new omdp.Worker(at, service, { concurrency: -1 });
    worker.on('error', () => {});
    worker.on('request', (data, reply) => {
      if (data === 'throw') throw new RangeError('thrown');
      if (data === 'number') reply.error({ code: 42 });
      else if (data === 'string') reply.error('text');
      else if (data === 'odd') reply.error({ code: { toString: 1 }, name: { toString: 1 } });
      else reply.error({ code: `E${data}` });
    });
    const client = new omdp.Client(at);
    await Promise.all([worker.start(), client.start()]);
    const fails = (data, opts) => client.call(service, data, opts).catch(() => {});
    for (const data of ['throw', 'number', 'string', 'odd']) await fails(data);
    const wrongHeader = { start: ({ headers }) => Object.assign(headers, { wrong: {} }) };
    const requests = require('node:diagnostics_channel').tracingChannel('zmq-omdp.request');
    requests.subscribe(wrongHeader);
    await fails('wrong');
    requests.unsubscribe(wrongHeader);
    for (let n = 0; n < 150; n += 1) await fails(n);
    const spans = otel.spans().map(({ kind, attributes }) => [kind, attributes['error.type']]);
    const metrics = await otel.metrics();
    say('done', {
      spans,
      open: otel.instrumentation._openSpans,
      series: metrics.map((m) => m.points.length),
    });
    await Promise.all([client.stop(), worker.stop()]);
  });
  const { value } = await runChild(t, program, { endpoint, service: SERVICE }).said('done');
  const types = (kind) => value.spans.filter((span) => span[0] === kind).map((span) => span[1]);
  assert.deepEqual(types('SERVER').slice(0, 4), ['RangeError', '42', 'RemoteError', '_OTHER']);
  // A request that cannot be made is a failed span, too.
  assert.deepEqual(types('CLIENT').slice(0, 5), ['RangeError', '42', 'RemoteError', '_OTHER', 'TypeError']);
  assert.deepEqual([types('CLIENT')[5], types('CLIENT').at(-1)], ['E0', 'RemoteError']);
  assert.equal(value.open, 0);
  for (const series of value.series) assert.ok(series <= 102, `${series} series`);
});

test('spans that are open when the instrumentation is disabled end as usual', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  await peers.broker().start();
  const program = withSdk(async ({ omdp, say, otel, endpoint: at, service }) => {
    const worker = new omdp.Worker(at, service, { concurrency: -1 });
    const replies = [];
    worker.on('request', (_data, reply) => replies.push(reply));
    const client = new omdp.Client(at);
    await Promise.all([worker.start(), client.start()]);
    const call = client.call(service, 1);
    while (replies.length === 0) await new Promise(setImmediate);
    otel.instrumentation.disable();
    const untraced = client.call(service, 2);
    while (replies.length === 1) await new Promise(setImmediate);
    for (const reply of replies) reply.end();
    await Promise.all([call, untraced]);
    const { channel } = require('node:diagnostics_channel');
    const watched = () => channel('tracing:zmq-omdp.request:start').hasSubscribers;
    while (watched()) await new Promise(setImmediate);
    const [client1, server1] = otel.spans().sort((a, b) => a.kind.localeCompare(b.kind));
    say('done', [client1.kind, server1.kind, server1.parent === client1.id, otel.spans().length]);
    await Promise.all([client.stop(), worker.stop()]);
  });
  const { value } = await runChild(t, program, { endpoint, service: SERVICE }).said('done');
  assert.deepEqual(value, ['CLIENT', 'SERVER', true, 2]);
});

test('the second start of a request', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  await peers.broker().start();
  // The first worker dies with the request.
  const dying = runChild(
    t,
    async ({ omdp, say, endpoint: at, service }) => {
      const worker = new omdp.Worker(at, service);
      worker.on('request', () => process.kill(process.pid, 'SIGKILL'));
      await worker.start();
      say('ready');
    },
    { endpoint, service: SERVICE },
  );
  await dying.said('ready');
  const client = peers.client();
  await client.start();
  const reply = client.call(SERVICE, 'data', { retry: 1 });
  await dying.ended;
  const worker = runChild(t, runWorker, { endpoint, service: SERVICE });
  await worker.said('ready');
  await reply;
  const [spans] = await spansOf(worker);
  const { events } = spans.find(({ kind }) => kind === 'SERVER');
  assert.deepEqual(events, [['retry', { 'zmq_omdp.attempt': 2 }]]);
});

test('the further attempts of a retry policy are events of one span of the client', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  await peers.broker().start();
  const worker = runChild(t, runWorker, { endpoint, service: SERVICE });
  await worker.said('ready');
  const calls = [[SERVICE, 'fail', { retry: { attempts: 3, on: ['error'], delay: 1 } }]];
  const { value } = await runChild(t, runClient, { endpoint, calls }).said('done');
  const [request, ...others] = value.spans.filter(({ kind }) => kind === 'CLIENT');
  assert.deepEqual(others, []);
  assert.deepEqual(
    request.events,
    [2, 3].map((attempt) => ['retry', { 'zmq_omdp.attempt': attempt }]),
  );
  const [handlings] = await spansOf(worker);
  assert.deepEqual(
    handlings.map(({ parent, events }) => [parent, events.length]),
    [0, 1, 1].map((events) => [request.id, events]),
  );
});

describe('where the context does not travel', () => {
  test('under MDP nothing is added to what goes over the wire', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { endpoint } = peers;
    await peers.broker().start();
    await peers.worker((data, reply, opts) => reply.end([data, Object.keys(opts)])).start();
    const program = withSdk(async ({ omdp, say, endpoint: at, service, otel }) => {
      const client = new omdp.Client(at, { protocol: 'mdp/0.2' });
      await client.start();
      const reply = await client.call(service, 'x');
      otel.instrumentation.disable();
      await client.call(service, 'y');
      say('done', { reply, spans: otel.spans().length });
      await client.stop();
    });
    const { value } = await runChild(t, program, { endpoint, service: SERVICE }).said('done');
    assert.deepEqual(value, { reply: ['x', ['attempt']], spans: 1 });
  });
});
