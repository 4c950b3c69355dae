'use strict';
// What an error tells of its request, and of who made it.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { RemoteError } = require('../..');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { SERVICE, peersFor, start } = require('../support/peers');
const { runChild } = require('../support/child');
const { deferred } = require('../support/events');

describe('an OmdpError', () => {
  test('has the service, the rid, the endpoint, and how long it took', async (t) => {
    const { client } = await peersFor(t).trio(() => {});
    await assert.rejects(client.call(SERVICE, 1, { timeout: 30 }), (error) => {
      assert.equal(error.service, SERVICE);
      assert.match(error.rid, /^\d+$/);
      assert.match(error.endpoint, /^inproc:/);
      assert.ok(error.elapsed >= 29 && error.elapsed < 10_000, String(error.elapsed));
      return true;
    });
  });

  test('of a timeout says what was waited for', async (t) => {
    const peers = peersFor(t, 'tcp');
    const client = peers.client();
    const expires = (message) => assert.rejects(client.call(SERVICE, 1, { timeout: 50 }), { message });
    // Such a client is no reason to keep the process.
    const keep = setInterval(() => {}, 1000);
    await expires(/^no reply from service "service" within 50 ms: the client was not started$/);
    clearInterval(keep);
    await client.start();
    await expires(/within 50 ms: no broker at tcp:/);
    const connected = new Promise((resolve) => client.once('connect', resolve));
    await start(
      peers.broker(),
      peers.worker((_data, reply) => reply.write('part')),
    );
    await connected;
    await Promise.all([
      assert.rejects(client.call('nobody', 1, { timeout: 2000 }), {
        message: /no worker is registered for it/,
      }),
      assert.rejects(client.call(SERVICE, 1, { timeout: 2000 }), { message: /after the last part/ }),
    ]);
    const silent = peers.worker(() => {}, { service: 'silent', name: 'W-silent' });
    await silent.start();
    await assert.rejects(client.call('silent', 1, { timeout: 1000 }), (error) => {
      assert.match(error.message, /worker "W-silent" has the request and did not answer$/);
      assert.equal(error.worker, 'W-silent');
      return true;
    });
    await assert.rejects(client.call('silent', 1, { deadline: 1000 }), {
      message: /^the deadline of 1000 ms for service "silent" has passed: .*(did not answer|were busy)/,
    });
    // It runs one request at a time, which the first still is.
    client.request('silent', 1);
    await assert.rejects(client.call('silent', 1, { timeout: 1000 }), {
      message: /did not answer|were busy/,
    });
  });

  test('of a timeout has the reason why no broker is reached', async (t) => {
    const client = peersFor(t, 'tcp').client();
    const unreachable = once(client, 'unreachable');
    await client.start();
    const outstanding = client.call(SERVICE, 1);
    await unreachable;
    await assert.rejects(client.call(SERVICE, 1, { timeout: 50 }), {
      message: /within 50 ms: no broker at tcp:\S+: [^:]*refused/i,
    });
    const message = 'the client was stopped';
    const stopped = assert.rejects(outstanding, { code: 'C_STOPPED', message });
    await client.stop();
    await stopped;
    await assert.rejects(client.call(SERVICE, 1), { code: 'C_STOPPED', message });
  });

  test('has the number of the attempt, also of one by a policy', async (t) => {
    const { client } = await peersFor(t).trio((data, reply, { headers }) => {
      if (data === 'error') reply.error(data);
      else if (data === 'rejected') reply.reject();
      else if (!headers?.silent) reply.end(data);
    });
    const policy = (attempts) => ({ attempts, on: ['error', 'timeout', 'rejected'], delay: 1 });
    for (const [data, options, attempt, message] of [
      ['error', { retry: policy(3) }, 3, 'error'],
      ['rejected', { retry: policy(2), failFast: true }, 2, /every worker of the service rejected/],
      ['error', { retry: policy(1) }, 1, 'error'],
      ['error', { retry: 2 }, 1, 'error'],
      ['', { retry: policy(2), timeout: 50, headers: { silent: true } }, 2, / within 50 ms in attempt 2: /],
    ]) {
      const failed = (error) => {
        assert.equal(error.attempt, attempt);
        if (typeof message === 'string') assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      };
      await assert.rejects(client.call(SERVICE, data, options), failed);
    }
  });

  test('has the worker that was lost, and the number of the attempt, with a number as retry', async (t) => {
    for (const retry of [0, 1, 3]) {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker({ logRequests: true, reconnectGrace: 0 });
      const client = peers.client();
      await start(broker, client);
      const ended = once(broker, 'requestEnded');
      const call = client.call(SERVICE, 1, { retry }).catch((error) => error);
      for (let n = 1; n <= retry + 1; n += 1) {
        const dying = runChild(
          t,
          async ({ omdp, say, endpoint, name }) => {
            const worker = new omdp.Worker(endpoint, 'service', { name });
            worker.on('request', (_data, _reply, { attempt }) => say('attempt', attempt));
            await worker.start();
          },
          { endpoint: peers.endpoint, name: `worker-${n}` },
        );
        assert.equal((await dying.said('attempt')).value, n);
        dying.kill();
      }
      const { code, attempt, worker, service, rid, endpoint, elapsed } = await call;
      const last = { attempt: retry + 1, worker: `worker-${retry + 1}` };
      assert.deepEqual({ code, attempt, worker }, { code: 'W_LOST', ...last });
      assert.deepEqual({ service, rid, endpoint }, { service: SERVICE, rid: '1', endpoint: peers.endpoint });
      assert.ok(elapsed > 0);
      const [event] = await ended;
      assert.deepEqual({ attempt: event.attempt, worker: event.worker }, last);
    }
  });

  test('has the frames of who awaits it', async (t) => {
    const { client } = await peersFor(t).trio((_data, reply) => reply.error({ code: 'E_NO' }));
    async function caller(...args) {
      await client.call(...args);
    }
    for (const args of [
      [SERVICE, 1],
      ['nobody', 1, { timeout: 20 }],
      ['nobody', 1, { failFast: true }],
    ]) {
      await assert.rejects(caller(...args), (error) => /at async caller/.test(error.stack));
    }
    async function reader() {
      for await (const _ of client.requestStream(SERVICE, 1));
    }
    await assert.rejects(reader(), (error) => /at async reader/.test(error.stack));
  });
});

test('a RemoteError without a text has one', async (t) => {
  const { client } = await peersFor(t).trio((value, reply) => reply.error(value));
  for (const value of ['', { message: '' }]) {
    await assert.rejects(client.call(SERVICE, value), {
      message: /of service "service" replied with the error/,
    });
  }
});

test('a RemoteError says whose it is', async (t) => {
  const { client, worker } = await peersFor(t).trio((_data, reply) => reply.error(0));
  await assert.rejects(client.call(SERVICE, 1), (error) => {
    assert.ok(error instanceof RemoteError);
    assert.equal(error.message, `worker "${worker.name}" of service "service" replied with the error 0`);
    assert.deepEqual([error.service, error.worker, error.value], [SERVICE, worker.name, 0]);
    return true;
  });
});

describe('a client that was never started', () => {
  function forgetful({ endpoint }) {
    const client = new omdp.Client(endpoint);
    setTimeout(() => {}, 1500);
    process.on('warning', ({ code, message }) => say('warning', { code, message }));
    client.call('add', 1, { timeout: 1300 }).catch(({ code }) => say('failed', code));
    client.call('add', 1, { timeout: 20 }).catch(({ code }) => say('failed', code));
    client.call('add', 1, { timeout: -1 }).finally(() => say('never'));
  }

  test('warns once, and its timeouts run', async (t) => {
    const child = runChild(t, forgetful, { endpoint: 'tcp://127.0.0.1:1' });
    const { code, said, stderr } = await child.ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      said.map(({ what, value }) => [what, value]),
      [
        ['failed', 'C_TIMEOUT'],
        [
          'warning',
          {
            code: 'OMDP_NOT_STARTED',
            message: 'request "add" waits, but its client was never started: call client.start()',
          },
        ],
        ['failed', 'C_TIMEOUT'],
      ],
    );
  });

  function brief({ endpoint }) {
    process.on('warning', ({ code }) => say('warning', code));
    for (let i = 0; i < 20; i++) new omdp.Client(endpoint).call('add', 1);
    new omdp.Client(endpoint).start().then(() => say('started'));
  }

  test('warns before the end of a process that ends at once', async (t) => {
    const child = runChild(t, brief, { endpoint: 'tcp://127.0.0.1:1' });
    const { code, said, stderr } = await child.ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      said.map(({ what, value }) => value ?? what),
      ['started', ...Array(20).fill('OMDP_NOT_STARTED')],
    );
  });

  test('that is started in time sends what was made, and warns of nothing', async (t) => {
    const peers = peersFor(t);
    await start(
      peers.broker(),
      peers.worker((data, reply) => reply.end(data)),
    );
    const client = peers.client();
    const early = client.call(SERVICE, 'early', { timeout: 5000 });
    await client.start();
    assert.equal(await early, 'early');
  });
});

describe('what was given before', () => {
  function lastWords({ endpoint }) {
    const worker = new omdp.Worker(endpoint, 'last');
    worker.on('request', (data, reply) => {
      reply.write('part');
      reply.end(data);
      process.exit(0);
    });
    worker.start();
  }

  test('process.exit() arrives: a reply', async (t) => {
    for (const transport of REMOTE_TRANSPORTS) {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      for (let n = 0; n < 3; n += 1) {
        // The next request must not be given to this worker.
        const gone = once(broker, 'workerGone');
        const child = runChild(t, lastWords, { endpoint: peers.endpoint });
        assert.equal(await client.call('last', n), n);
        assert.equal((await child.ended).code, 0);
        await gone;
      }
    }
  });

  function lastRequests({ endpoint }) {
    // A client without requests does not keep its process.
    setInterval(() => {}, 1000);
    const client = new omdp.Client(endpoint);
    client.once('connect', () => {
      for (let n = 0; n < 3; n += 1) client.request('last', n);
      process.exit(0);
    });
    client.start();
  }

  test('process.exit() arrives: requests', async (t) => {
    for (const transport of REMOTE_TRANSPORTS) {
      const peers = peersFor(t, transport);
      const come = [];
      const all = deferred();
      const worker = peers.worker(
        (data, reply) => {
          come.push(data);
          reply.end();
          if (come.length === 4) all.resolve();
        },
        { service: 'last', concurrency: -1 },
      );
      const client = peers.client();
      await start(peers.broker(), worker, client);
      // The worker is registered then: a client that is gone waits for none.
      await client.call('last', 'first');
      const child = runChild(t, lastRequests, { endpoint: peers.endpoint });
      assert.equal((await child.ended).code, 0);
      await all.promise;
      assert.deepEqual(come, ['first', 0, 1, 2]);
    }
  });

  test('stop({ timeout: 0 }) of a worker arrives', async (t) => {
    for (let n = 0; n < 3; n += 1) {
      const peers = peersFor(t, 'tcp');
      const { client } = await peers.trio((data, reply) => {
        reply.end(data);
      });
      peers.last = peers.worker(
        (data, reply) => {
          reply.end(data);
          peers.last.stop({ timeout: 0 });
        },
        { service: 'last' },
      );
      await peers.last.start();
      assert.equal(await client.call('last', n), n);
    }
  });

  test('client.stop({ drain: true }) is answered, and nothing new is taken', async (t) => {
    const peers = peersFor(t);
    let reply;
    const { client } = await peers.trio((_data, its) => {
      reply = its;
    });
    const outstanding = client.call(SERVICE, 1);
    while (reply === undefined) await new Promise(setImmediate);
    const stopped = client.stop({ drain: true });
    await assert.rejects(client.call(SERVICE, 2), { code: 'C_STOPPED' });
    reply.end('answered');
    assert.equal(await outstanding, 'answered');
    await stopped;
  });

  test('client.stop({ drain: true }) waits no longer than its timeout, or a stop() without', async (t) => {
    const { client } = await peersFor(t).trio(() => {});
    const bounded = assert.rejects(client.call(SERVICE, 1), { code: 'C_STOPPED' });
    await client.stop({ drain: true, timeout: 20 });
    await bounded;
    await client.start();
    const given = assert.rejects(client.call(SERVICE, 1), { code: 'C_STOPPED' });
    client.stop({ drain: true });
    await client.stop();
    await given;
  });
});
