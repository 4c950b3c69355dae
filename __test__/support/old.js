'use strict';
// The three peers of zmq-omdp 0.0.92, played from the frames that they sent and took. They are as blunt as those: ids
// go through UTF-8, and whatever is not a frame of 0.0.92 is a failed test.
const assert = require('node:assert/strict');
const { rawDealer, rawRouter, toText } = require('./raw');

const json = (value) => JSON.stringify(value);

/** A request in the form that a worker of PIGATO reads too: what it wants stands behind what 0.0.92 looks at. */
function isForEither(frames) {
  return frames.length === 8 && frames[3] === frames[5] && frames[4] === frames[6];
}

/** What may be sent to a worker of 0.0.92, by the number of its frames. */
function checkForWorker(frames) {
  const [header, command] = frames;
  assert.equal(header, 'W');
  const known =
    (command === '2' && (frames.length === 5 || isForEither(frames))) ||
    (command === '4' && (frames.length === 2 || frames.length === 4)) ||
    (command === '5' && frames.length === 2);
  assert.ok(known, `not for a worker of 0.0.92: ${json(frames)}`);
}

/** What may be sent to a client of 0.0.92. */
function checkForClient(frames) {
  const [header, command, , code] = frames;
  assert.equal(header, 'C');
  // The answer to a heartbeat, for clients of PIGATO; one of 0.0.92 ignores it.
  if (command === '4' && frames.length === 2) return;
  const data = (command === '3' || command === '6') && frames.length === 5 && code === '0';
  const error = command === '3' && frames.length === 4;
  assert.ok(data || error, `not for a client of 0.0.92: ${json(frames)}`);
  // What it would take for a success, having no data.
  if (error) assert.notEqual(Number(code), 0, json(frames));
}

class OldWorker {
  #socket;
  #service;

  constructor(t, endpoint, { service, name = 'W-old' }) {
    this.#socket = rawDealer(t, endpoint, name);
    this.#service = service;
  }

  send(...frames) {
    return this.#socket.send(frames);
  }

  ready() {
    return this.send('W', '1', this.#service);
  }

  heartbeat() {
    return this.send('W', '4');
  }

  /** The next message, as text. */
  async next() {
    const frames = toText(await this.#socket.receive());
    checkForWorker(frames);
    return frames;
  }

  /** The next message with this command, whatever comes before. */
  async nextOf(command, count) {
    for (;;) {
      const frames = await this.next();
      if (frames[1] === command && (count === undefined || frames.length === count)) return frames;
    }
  }

  /** The next request: `{ client, rid, data }`, where `data` is parsed. */
  async request() {
    const [, , client, rid, data] = await this.nextOf('2');
    return { client, rid, data: JSON.parse(data) };
  }

  partial({ client, rid }, data) {
    return this.send('W', '6', client, rid, '0', json(data));
  }

  final({ client, rid }, data) {
    return this.send('W', '3', client, rid, '0', json(data));
  }

  error({ client, rid }, value) {
    return this.send('W', '3', client, rid, json(value));
  }

  close() {
    this.#socket.close();
  }
}

/** Of all old clients, since one that comes back may wait for the requests of the one that went. */
let lastRid = 0;

class OldClient {
  #socket;

  constructor(t, endpoint, { name = 'C-old' } = {}) {
    this.#socket = rawDealer(t, endpoint, name);
  }

  send(...frames) {
    return this.#socket.send(frames);
  }

  /** Sends a request, and gives its id. */
  async request(service, data, opts = { timeout: 60_000 }) {
    lastRid += 1;
    const rid = `r${lastRid}`;
    await this.send('C', '2', service, rid, json(data), json(opts));
    return rid;
  }

  /** The next message, as text. */
  async next() {
    for (;;) {
      const frames = toText(await this.#socket.receive());
      checkForClient(frames);
      // The answer to a heartbeat of its own.
      if (frames[1] !== '4') return frames;
    }
  }

  /** Makes a request, and gives its outcome, parsed: the partials, and a final or an error. */
  async ask(service, data, opts) {
    const rid = await this.request(service, data, opts);
    const partials = [];
    for (;;) {
      const [, command, of, code, body] = await this.next();
      assert.equal(of, rid);
      if (command === '6') partials.push(JSON.parse(body));
      else if (body === undefined) return { partials, error: JSON.parse(code) };
      else return { partials, final: JSON.parse(body) };
    }
  }

  /** Waits until it has noticed that its connection is gone. */
  disconnected() {
    return new Promise((resolve) => {
      this.#socket.events.on('disconnect', resolve);
    });
  }

  close() {
    this.#socket.close();
  }
}

/**
 * What it may be sent. Of a client's commands it looks at 2 and 4, so whatever has another does it no harm; for a worker
 * there is no such room.
 */
function checkForBroker(frames) {
  const [header, command] = frames;
  const { length } = frames;
  const worker =
    (command === '1' && (length === 3 || length === 4)) ||
    (command === '3' && (length === 6 || length === 5)) ||
    (command === '6' && length === 6) ||
    ((command === '4' || command === '5') && length === 2);
  const client =
    ['1', '5', '8'].includes(command) ||
    (command === '2' && (length === 6 || length === 7)) ||
    (command === '4' && (length === 2 || length === 3));
  assert.ok(
    header === 'W' ? worker : header === 'C' && client,
    `not for a broker of 0.0.92: ${json(frames)}`,
  );
}

/** Serves until the test ends. What it received is in `log`, as text, with the sender first. */
class OldBroker {
  log = [];
  #socket;
  #workers = new Map();
  #services = new Map();
  #failed;
  #listeners = new Set();

  static async start(t, endpoint) {
    const broker = new OldBroker();
    broker.#socket = await rawRouter(t, endpoint);
    broker.#socket.receiveTimeout = -1;
    const served = broker.#serve();
    t.after(async () => {
      broker.#socket.close();
      await served;
      assert.ifError(broker.#failed);
    });
    return broker;
  }

  async #serve() {
    try {
      for await (const message of this.#socket) {
        const [from, ...frames] = toText(message);
        this.log.push([from, ...frames]);
        checkForBroker(frames);
        if (frames[0] === 'C') await this.#onClient(from, frames, message);
        else await this.#onWorker(from, frames, message);
        for (const listener of this.#listeners) listener();
      }
    } catch (error) {
      if (!this.#socket.closed) this.#failed = error;
    }
  }

  /** Waits until the log has what `isSo` looks for, and gives it. */
  seen(isSo) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.log.find(isSo);
        if (found === undefined && this.#failed === undefined) return;
        this.#listeners.delete(look);
        if (found === undefined) reject(this.#failed);
        else resolve(found);
      };
      this.#listeners.add(look);
      look();
    });
  }

  send(to, ...frames) {
    return this.#socket.send([to, ...frames]);
  }

  close() {
    this.#socket.close();
  }

  #service(name) {
    if (!this.#services.has(name)) this.#services.set(name, { waiting: [], requests: [] });
    return this.#services.get(name);
  }

  async #onClient(from, [, command, name, rid, data], message) {
    if (command === '2') {
      // The data as it came; by then it was not text.
      this.#service(name).requests.push({ from, rid, data: message[5] ?? data });
      await this.#dispatch(name);
    }
  }

  async #onWorker(from, [, command, name], message) {
    const held = this.#workers.get(from);
    if (command === '1' && held === undefined) {
      this.#workers.set(from, name);
      this.#service(name).waiting.push(from);
      await this.#dispatch(name);
    } else if (command === '1' || held === undefined) {
      this.#forget(from);
      await this.send(from, 'W', '5');
    } else if (command === '3' || command === '6') {
      const [, , type, client, ...rest] = message;
      await this.send(client.toString(), 'C', type, ...rest).catch(() => {});
      if (command === '3') {
        this.#service(held).waiting.push(from);
        await this.#dispatch(held);
      }
    } else if (command === '5') {
      this.#forget(from);
    } else {
      await this.send(from, 'W', '4');
    }
  }

  #forget(worker) {
    const service = this.#services.get(this.#workers.get(worker));
    this.#workers.delete(worker);
    if (service !== undefined) service.waiting = service.waiting.filter((each) => each !== worker);
  }

  async #dispatch(name) {
    const { waiting, requests } = this.#service(name);
    while (waiting.length > 0 && requests.length > 0) {
      const { from, rid, data } = requests.shift();
      await this.send(waiting.shift(), 'W', '2', from, rid, data);
    }
  }
}

module.exports = { OldBroker, OldClient, OldWorker };
