'use strict';
// The operations of a client in Node.js, based on the functions of each system's driver: `request(data,
// done)`, `listen(data, done)` and `stream(parts, onPart, done)`, where `done(error, reply)` gets null for no
// error; and `fresh(data)` if a request must not get the data of another one.
const { performance } = require('node:perf_hooks');
const { quantile } = require('./stats.js');

/** The progress of the running operation, requested when it hangs. */
const progress = { sent: 0, received: 0 };

/**
 * Makes `count` requests, `depth` of them in flight. `distinct` gives each its own payload, which shows that
 * every reply belongs to its request; in the measurement all are equal. `listen` adds listeners to the stream
 * of each.
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
        // An extra reply would arrive now.
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

/**
 * Makes `count` requests of `bytes` bytes, one after the other. Replies are checked after their time is
 * taken.
 */
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
      // Some systems do not return bytes for bytes; the conversion that their user needs is part of the time.
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
      const given = client.fresh?.(data) ?? data;
      start = performance.now();
      client.request(given, done);
    };
    next();
  });

  function finish(resolve) {
    const seconds = times.reduce((sum, time) => sum + time, 0) / 1e6;
    times.sort();
    resolve({ count, seconds, wrong, firstWrong, p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
  }
}

/** Makes `count` requests, `rate` of them a second at equal intervals, however long the replies take. */
function trickle(client, { count, rate }) {
  return new Promise((resolve) => {
    const start = performance.now();
    let sent = 0;
    let received = 0;
    let wrong = 0;
    let firstWrong;
    const done = (error, reply) => {
      if (error !== null || reply !== 'foo') {
        wrong += 1;
        firstWrong ??= String(error ?? reply).slice(0, 200);
      }
      received += 1;
      progress.received = received;
      const seconds = (performance.now() - start) / 1000;
      if (received === count) resolve({ count, seconds, wrong, firstWrong });
    };
    const next = () => {
      sent += 1;
      progress.sent = sent;
      client.request('foo', done);
      if (sent < count) setTimeout(next, Math.max(0, start + (sent * 1000) / rate - performance.now()));
    };
    next();
  });
}

/** Makes one request with a reply of `parts` numbered partials and a final. */
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

/**
 * Makes `count` requests without a reply, then one with a reply on the same connection, which shows that all
 * have arrived.
 */
function hold(client, { count }) {
  for (let i = 0; i < count; i += 1) client.holdRequest('foo');
  return window(client, { count: 1, depth: 1 });
}

module.exports = { hold, progress, seq, stream, trickle, window };
