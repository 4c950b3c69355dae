'use strict';
// One request, for tests of what its reply does.
const { ask, peersFor } = require('./peers');

/** Has one request handled by `handler(reply, data, opts)`; gives what the client's callbacks got. */
async function reply(t, handler, conf) {
  const { client } = await peersFor(t).trio((data, answer, opts) => handler(answer, data, opts), conf);
  return ask(client, 'data');
}

module.exports = { reply };
