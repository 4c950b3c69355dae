'use strict';
// `zmq-omdp/monitor`: a request listener for Node's `http` that shows a broker.

const fs = require('node:fs');
const path = require('node:path');
const { version } = require('../../package.json');
const { object } = require('../checks');
const { given } = require('../describe');
const { isStopping } = require('../peer');
const { hasToken, isLocal, isSameOrigin } = require('./access');
const { prefersOpenMetrics } = require('./exposition');
const { Feed } = require('./feed');
const { checkOptions } = require('./options');
const { Renderer } = require('./prometheus');

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Broker } from '../../index' */
/** @import { Options, Requester } from './options' */

/** Maximum time for a snapshot before the broker counts as stuck, in ms. */
const PATIENCE = 2000;

/** Maximum size of a test request, in bytes. */
const MAX_BODY = 1024 * 1024;

/** Maximum number of parts of its reply that are shown, apart from the final. */
const MAX_PARTS = 100;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** The files of the page. @type {Record<string, [file: string, type: string]>} */
const FILES = {
  '/': ['page/index.html', 'text/html; charset=utf-8'],
  '/app.js': ['page/app.js', 'text/javascript; charset=utf-8'],
  '/charts.js': ['page/charts.js', 'text/javascript; charset=utf-8'],
  '/tables.js': ['page/tables.js', 'text/javascript; charset=utf-8'],
  '/invisible.js': ['../invisible.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['page/style.css', 'text/css; charset=utf-8'],
  '/uplot.js': ['vendor/uPlot.iife.min.js', 'text/javascript; charset=utf-8'],
  '/uplot.css': ['vendor/uPlot.min.css', 'text/css; charset=utf-8'],
};

/** Answers HTTP requests about one broker. */
class Monitor {
  #broker;
  #options;
  #feed;
  #renderer;

  /** @param {Broker} broker @param {Options} options */
  constructor(broker, options) {
    this.#broker = broker;
    this.#options = options;
    this.#renderer = new Renderer({ version, maxWorkers: options.maxWorkers });
    this.#feed = new Feed(broker, () => this.#stats(), options.interval);
  }

  close() {
    this.#feed.close();
  }

  /** @param {IncomingMessage} req @param {ServerResponse} res */
  async handle(req, res) {
    for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
    try {
      await this.#route(req, res);
    } catch (error) {
      if (res.headersSent) res.destroy();
      else send(res, 500, TEXT, `${/** @type {Error} */ (error).message}\n`);
    }
  }

  /** @param {IncomingMessage} req @param {ServerResponse} res */
  async #route(req, res) {
    const pathname = pathOf(req.url ?? '/');
    const { token, remote } = this.#options;
    if (!remote && !isLocal(req)) return send(res, 403, TEXT, 'only from this machine\n');
    if (pathname === '/request') return this.#request(req, res);
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      return send(res, 405, TEXT, 'only GET\n');
    }
    if (pathname === '/healthz') return this.#healthz(res);
    if (pathname === '/readyz') return this.#readyz(res);
    const folder = pathname === '/' ? folderOf(req) : undefined;
    if (folder !== undefined) {
      res.setHeader('Location', folder);
      return send(res, 302, TEXT, 'the page is in a folder\n');
    }
    // The files contain no data of the broker: the page asks for the token and sends it.
    if (Object.hasOwn(FILES, pathname)) return file(res, FILES[pathname]);
    if (!hasToken(req, token)) {
      res.setHeader('WWW-Authenticate', 'Bearer');
      return send(res, 401, TEXT, 'a bearer token is needed\n');
    }
    if (pathname === '/metrics') return this.#metrics(req, res);
    if (pathname === '/stats.json') return send(res, 200, JSON_TYPE, JSON.stringify(await this.#stats()));
    if (pathname === '/events' && req.method === 'HEAD') return send(res, 200, 'text/event-stream', '');
    if (pathname === '/events')
      return this.#feed.add(res, { canRequest: this.#options.client !== undefined });
    return send(res, 404, TEXT, 'not found\n');
  }

  /** @returns {Promise<any>} */
  #stats() {
    /** @type {NodeJS.Timeout} */
    let timer;
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('the broker does not answer')), PATIENCE);
    });
    return Promise.race([this.#broker.stats(), late]).finally(() => clearTimeout(timer));
  }

  /** @param {ServerResponse} res */
  async #healthz(res) {
    try {
      await this.#stats();
      send(res, 200, TEXT, 'ok\n');
    } catch (error) {
      send(res, 503, TEXT, `${/** @type {Error} */ (error).message}\n`);
    }
  }

  /** @param {ServerResponse} res */
  #readyz(res) {
    if (this.#broker.endpoints.length === 0) send(res, 503, TEXT, 'the broker does not run\n');
    else if (isStopping(this.#broker)) send(res, 503, TEXT, 'the broker stops\n');
    else send(res, 200, TEXT, 'ok\n');
  }

  /** @param {IncomingMessage} req @param {ServerResponse} res */
  async #metrics(req, res) {
    const openMetrics = prefersOpenMetrics(req.headers.accept ?? '');
    const text = this.#renderer.render(await this.#stats(), openMetrics);
    send(res, 200, openMetrics ? OPEN_METRICS : 'text/plain; version=0.0.4; charset=utf-8', text);
  }

  /** Makes a test request of the page. @param {IncomingMessage} req @param {ServerResponse} res */
  async #request(req, res) {
    const { client, token } = this.#options;
    if (req.method !== 'POST') {
      res.setHeader('Allow', 'POST');
      return send(res, 405, TEXT, 'only POST\n');
    }
    if (!hasToken(req, token)) return send(res, 401, TEXT, 'a bearer token is needed\n');
    // A form of another site cannot send this type without a preflight request.
    const isJson = (req.headers['content-type'] ?? '').startsWith('application/json');
    if (!isJson || !isSameOrigin(req)) return send(res, 403, TEXT, 'not from the page\n');
    if (client === undefined) return send(res, 404, TEXT, 'the monitor was given no client\n');
    const wanted = await bodyOf(req);
    if (wanted === undefined) {
      res.setHeader('Connection', 'close');
      return send(res, 413, TEXT, 'too large\n');
    }
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    const outcome = await testRequest(client, wanted, gone.signal);
    if (!gone.signal.aborted) send(res, 200, JSON_TYPE, JSON.stringify(outcome));
  }
}

/** The path of a request's target, without the query. @param {string} url */
function pathOf(url) {
  return url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '') || '/';
}

/**
 * The page refers to its files relative to its own folder, so that a framework may mount it anywhere.
 * @param {IncomingMessage & { originalUrl?: unknown }} req with the URL before the framework cut its prefix off
 * @returns {string | undefined} the folder, relative to the request, if its last slash is missing
 */
function folderOf({ originalUrl }) {
  const [, name, query] = /^[^?]*\/([^/?]+)(\?.*)?$/s.exec(String(originalUrl ?? '')) ?? [];
  return name === undefined ? undefined : `./${name}/${query ?? ''}`;
}

/**
 * The body of a test request, which a framework may have parsed already.
 * @param {IncomingMessage & { body?: unknown }} req
 * @returns {Promise<unknown>} a string, an object, or undefined if it is too large
 */
async function bodyOf(req) {
  const { body } = req;
  // Parsers of express 4 set an empty body also if they do not read it.
  const isRead = req.readableDidRead || Object.keys(Object(body)).length > 0;
  if (body !== undefined && isRead) return Buffer.isBuffer(body) ? body.toString() : body;
  let text = '';
  for await (const chunk of req.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.length > MAX_BODY) return undefined;
  }
  return text;
}

/**
 * @param {Requester} client
 * @param {unknown} wanted JSON, or an object
 * @param {AbortSignal} signal
 */
async function testRequest(client, wanted, signal) {
  const began = performance.now();
  /** @type {any[]} */
  const parts = [];
  let left = 0;
  let outcome = {};
  try {
    const given = typeof wanted === 'string' ? JSON.parse(wanted) : wanted;
    const { service, data, timeout = 10000 } = /** @type {any} */ (object(given, 'a test request'));
    const onPart = (/** @type {any} */ part) => {
      if (parts.length < MAX_PARTS) parts.push(part);
      else left += 1;
    };
    // The stream ends without the final if it is null.
    const onEnd = (/** @type {any} */ error, /** @type {any} */ final) => {
      if (error === null) outcome = { final };
    };
    const stream = client.request(service, data, onPart, onEnd, { timeout, failFast: true, signal });
    for await (const _ of stream) {
      // The loop throws the failure as an Error.
    }
  } catch (error) {
    const { code, message, value } = /** @type {any} */ (error);
    outcome = { error: { code, message, value } };
  }
  const shown = left === 0 ? { parts } : { parts, partsNotShown: left };
  return { ...shown, ...outcome, ms: performance.now() - began };
}

/** @param {ServerResponse} res @param {number} status @param {string} type @param {string | Buffer} body */
function send(res, status, type, body) {
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
}

/** @param {ServerResponse} res @param {[string, string]} what */
async function file(res, [name, type]) {
  send(res, 200, type, await fs.promises.readFile(path.join(__dirname, name)));
}

/**
 * @param {Broker} broker
 * @param {unknown} [options]
 * @returns {((req: IncomingMessage, res: ServerResponse) => void) & { close(): void }}
 */
function createMonitor(broker, options) {
  if (typeof broker?.stats !== 'function' || !('endpoints' in broker))
    throw new TypeError(`broker must be a Broker, got ${given(broker)}`);
  const monitor = new Monitor(broker, checkOptions(options));
  /** @param {IncomingMessage} req @param {ServerResponse} res */
  const listener = (req, res) => void monitor.handle(req, res);
  return Object.assign(listener, { close: () => monitor.close() });
}

exports.createMonitor = createMonitor;
