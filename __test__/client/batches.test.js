'use strict';
// Requests that cross in one batch: what some have in common crosses once, and each has its own all the same.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Outbox } = require('../../lib/outbox');
const { peersFor, start } = require('../support/peers');

const SERVICES = ['one', 'other', 'ünë'];

/** One after the other alike, in turns, and by chance; bodies of every kind. */
function* questions(count) {
  let seed = 7;
  for (let i = 0; i < count; i += 1) {
    seed = (seed * 48271) % 2147483647;
    const service = SERVICES[i < 50 ? 0 : i < 100 ? i % 3 : seed % 3];
    const headers = i % 40 < 30 ? undefined : { n: seed % 2, text: 'ä'.repeat(seed % 3) };
    const data = i % 5 === 0 ? Buffer.from(`${i}`) : i % 7 === 0 ? `${i}${'long'.repeat(1500)}` : `€${i}`;
    yield { service, headers, data };
  }
}

test('each request has its service, its data and its options, before the start and after it', async (t) => {
  const peers = peersFor(t, 'tcp');
  const echo =
    (service) =>
    (data, reply, { headers }) =>
      reply.end([service, String(data), headers ?? null]);
  const workers = SERVICES.map((service) => peers.worker(echo(service), { service }));
  const [broker, client] = [peers.broker(), peers.client()];
  const ask = ({ service, headers, data }) => client.call(service, data, headers && { headers });
  const expected = [...questions(1500)].map(({ service, headers, data }) => [
    service,
    String(data),
    headers ?? null,
  ]);
  const early = [...questions(1500)].map(ask);
  await broker.start();
  await start(client, ...workers);
  assert.deepEqual(await Promise.all(early), expected);
  assert.deepEqual(await Promise.all([...questions(1500)].map(ask)), expected);
});

test('the text of a batch has what is the same once, and every batch has it anew', () => {
  const submitted = [];
  const submit = (records, count, text) => {
    const fields = Array.from({ length: count }, (_, at) => [...records.slice(6 * at, 6 * at + 5)]);
    submitted.push([text, ...fields]);
  };
  const outbox = new Outbox({ submit });
  outbox.open();
  outbox.beginDrain();
  outbox.putRequest(1, 1, 'service', '"a"', '{}', -1, 0);
  outbox.putRequest(1, 2, 'service', '"b"', '{}', -1, 0);
  outbox.put(2, 1, '');
  outbox.putRequest(1, 3, 'service', Buffer.from('c'), '{}', -1, 0);
  outbox.putRequest(1, 4, 'service', '"d"', '{ }', -1, 0);
  outbox.putRequest(1, 5, 'Service', '"e"', '{ }', -1, 0);
  outbox.flush();
  outbox.putRequest(1, 6, 'Service', '"f"', '{ }', -1, 0);
  outbox.clear();
  outbox.putRequest(1, 7, 'Service', '"g"', '{ }', -1, 0);
  outbox.endDrain();
  assert.deepEqual(submitted, [
    [
      'service"a"{}"b"service"d"{ }Service"e"{ }',
      [1, 1, 7, 3, 2],
      [1 | 512, 2, 0, 3, 0],
      [2, 1, 0, 0, 0],
      [1 | 256 | 512, 3, 0, 0, 0],
      [1, 4, 7, 3, 3],
      [1, 5, 7, 3, 3],
    ],
    ['Service"g"{ }', [1, 7, 7, 3, 3]],
  ]);
});
