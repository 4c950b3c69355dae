'use strict';
// What a client in Node is asked to do, on top of what each system's driver offers: `request(data, done)`,
// `listen(data, done)` and `stream(parts, onPart, done)`, where `done(error, reply)` has null for no error.
const { performance } = require('node:perf_hooks');
const { quantile } = require('./stats.js');

/** How far the operation is that runs: asked for when it hangs. */
const progress = { sent: 0, received: 0 };

/**
 * `count` requests, `depth` of them in flight. `distinct` gives each a payload of its own, which shows that every
 * reply belongs to its request; in the measurement all are alike. `listen` puts listeners on the stream of each.
 */
function window(client, { count, depth, distinct = false, listen = false }) {
  const make = listen ? client.listen : client.request;
  return new Promise((resolve) => {
    let sent = 0;
    let received = 0;
    let wrong = 0;
    let firstWrong;
    const take = (error, reply, expected) => {
      if (error !== null || reply !== expected) {
        wrong += 1;
        firstWrong ??= String(error ?? reply).slice(0, 200);
      }
      received += 1;
      progress.received = received;
      if (received === count) {
        const seconds = (performance.now() - start) / 1000;
        // A reply too many would come now.
        setImmediate(() => resolve({ count: received, seconds, wrong, firstWrong }));
      } else if (sent < count) {
        next();
      }
    };
    const same = (error, reply) => take(error, reply, 'foo');
    const next = () => {
      sent += 1;
      progress.sent = sent;
      if (!distinct) return make('foo', same);
      const payload = `foo${sent}`;
      make(payload, (error, reply) => take(error, reply, payload));
    };
    const start = performance.now();
    while (sent < Math.min(count, depth)) next();
  });
}

/** `count` requests of `bytes` bytes, one after the other. The reply is checked when its time is taken. */
function seq(client, { count, bytes, binary = false }) {
  const data = binary ? Buffer.alloc(bytes, 'x') : bytes === 3 ? 'foo' : 'x'.repeat(bytes);
  const right = binary ? (reply) => data.equals(reply) : (reply) => reply === data;
  const times = new Float64Array(count);
  let wrong = 0;
  let firstWrong;
  let received = 0;
  return new Promise((resolve) => {
    let start;
    const done = (error, reply) => {
      // Not every system gives back bytes for bytes; what its user must do to have them is part of the time.
      const taken = binary && error === null ? client.bytes(reply) : reply;
      times[received] = (performance.now() - start) * 1000;
      received += 1;
      progress.received = received;
      if (error !== null || !right(taken)) {
        wrong += 1;
        firstWrong ??= String(error ?? reply).slice(0, 200);
      }
      if (received < count) next();
      else finish(resolve);
    };
    const next = () => {
      progress.sent = received + 1;
      start = performance.now();
      client.request(data, done);
    };
    next();
  });

  function finish(resolve) {
    const seconds = times.reduce((sum, time) => sum + time, 0) / 1e6;
    times.sort();
    resolve({ count, seconds, wrong, firstWrong, p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
  }
}

/** One request that is answered with `parts` partials, which are numbered, and a final. */
function stream(client, { parts }) {
  return new Promise((resolve) => {
    let received = 0;
    let wrong = 0;
    let firstWrong;
    const start = performance.now();
    const onPart = (part) => {
      if (part !== received) {
        wrong += 1;
        firstWrong ??= `${String(part).slice(0, 200)} in the place of ${received}`;
      }
      received += 1;
      progress.received = received;
    };
    client.stream(parts, onPart, (error) => {
      const seconds = (performance.now() - start) / 1000;
      if (error !== null) {
        wrong += 1;
        firstWrong ??= String(error);
      }
      resolve({ count: received, seconds, wrong, firstWrong });
    });
  });
}

/** `count` requests that nobody answers; the reply to one more, on the same connection, says that they are there. */
function hold(client, { count }) {
  for (let i = 0; i < count; i += 1) client.holdRequest('foo');
  return window(client, { count: 1, depth: 1 });
}

module.exports = { hold, progress, seq, stream, window };
