'use strict';
// The client of the demo: makes the requests that its parent asks for, and checks the replies.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Client } = require('zmq-omdp');
const { say, done, fault } = require('./say');

const FILE = path.join(__dirname, '..', '..', 'README.md');

const client = new Client(process.argv[2]);

const requests = {
  async greet() {
    say('asks "greet" for { name: "Ada" }');
    const answer = await client.call('greet', { name: 'Ada' });
    say(`gets the final: "${answer}"`);
    assert.equal(answer, 'Hello, Ada!');
  },

  async count() {
    say('asks "count" for 3, and reads the reply as it comes');
    const parts = [];
    for await (const part of client.requestStream('count', 3)) {
      say(`gets ${JSON.stringify(part)}`);
      parts.push(part);
    }
    assert.deepEqual(parts, [1, 2, 3, 'that was all']);
  },

  async divide() {
    say('asks "divide" for { a: 1, b: 0 }');
    const error = await client.call('divide', { a: 1, b: 0 }).catch((error) => error);
    say(`gets the worker's error: "${error.message}", code ${error.code}`);
    assert.equal(error.code, 'DIVISION');
  },

  async file() {
    say('asks "file" for README.md');
    const parts = await client.requestStream('file', 'README.md').toArray();
    const bytes = Buffer.concat(parts);
    assert.ok(bytes.equals(fs.readFileSync(FILE)));
    say(`gets ${bytes.length} bytes in ${parts.length} parts: the same file, byte for byte`);
  },
};

async function main() {
  await client.start();
  say(`process ${process.pid} is ready`);
  done();
  process.on('message', (name) => {
    requests[name]().then(done, (error) => fault(error.message));
  });
  process.once('disconnect', () => {
    client.stop();
  });
}

main();
