// biome-ignore-all lint/suspicious/noExplicitAny: where the user gives no type, JavaScript decides

import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** Options of a client, read on each use. */
export interface ClientConf {
  /** Whether it starts at once. @defaultValue false */
  autostart?: boolean;
  /** The prefix of the identity, which is extended for each start. @defaultValue `C` and a UUID */
  prefix?: string;
  /** The interval of heartbeats in ms. @defaultValue 2500 */
  heartbeat?: number;
  /** The pause between the loss of a broker and the next attempt, in ms. @defaultValue 1000 */
  reconnect?: number;
  /** The idle timeout of requests in ms; -1 means no limit. @defaultValue 60000 */
  timeout?: number;
  /** Whether a request starts again after the loss of its worker. @defaultValue 0 */
  retry?: number | boolean;
  /** That of the broker: `pigato` for a broker of PIGATO itself. @defaultValue `omdp` */
  protocol?: 'omdp' | 'pigato';
  onConnect?: (() => void) | null;
  onDisconnect?: (() => void) | null;
  [other: string]: unknown;
}

/** Options of a worker, read on each use. */
export interface WorkerConf {
  /** The prefix of the identity, which is extended for each start. @defaultValue `W` and a UUID */
  prefix?: string;
  /** The interval of heartbeats in ms. @defaultValue 2500 */
  heartbeat?: number;
  /** The pause between the loss of a broker and the next attempt, in ms. @defaultValue 1000 */
  reconnect?: number;
  /**
   * How many requests run at the same time; -1 means no limit, 0 means none. May be changed at any time.
   * @defaultValue 100
   */
  concurrency?: number;
  /** That of the broker: `pigato` for a broker of PIGATO itself. @defaultValue `omdp` */
  protocol?: 'omdp' | 'pigato';
  onConnect?: (() => void) | null;
  onDisconnect?: (() => void) | null;
  [other: string]: unknown;
}

/** Options of a broker, read at `start()`. */
export interface BrokerConf {
  /** The interval of heartbeats in ms. @defaultValue 2500 */
  heartbeat?: number;
  /** The number of silent intervals after which a worker is lost. @defaultValue 3 */
  heartbeatLiveness?: number;
  /**
   * Which worker gets the next request: `load` the one with the fewest requests, `rand` a random one, any other value
   * the one that has been idle for the longest time. @defaultValue 'load'
   */
  dmode?: string;
  /** The identity. @defaultValue `B` and a UUID */
  name?: string;
  onStart?: (() => void) | null;
  onStop?: (() => void) | null;
  [other: string]: unknown;
}

/** Options of a request. The handler gets all of them, unchecked. */
export interface RequestOptions {
  /** The idle timeout in ms; -1 means no limit. @defaultValue that of the client */
  timeout?: number;
  /** Whether the request starts again after the loss of its worker. @defaultValue that of the client */
  retry?: number | boolean;
  /** The `socketId` of the only worker that may get the request. */
  workerId?: string;
  /** A routing key: requests with the same key go to one worker. */
  key?: string;
  /** The priority, where 9 precedes 0. @defaultValue 0 */
  priority?: number;
  [other: string]: unknown;
}

/** The reply to a request: `write()` sends a partial, `end()` the final. */
export interface Reply extends Writable {
  /** Ends the request with an error value. */
  error(value: unknown): void;
  /** Rejects the request, which goes to another worker. */
  reject(reason?: unknown): void;
  heartbeat(): void;
  /** Whether the reply is still wanted. */
  active(): boolean;
  readonly ended: boolean;
  opts: Record<string, unknown>;
}

/** Partials and, last, the final's data. */
export interface RequestStream extends Readable {
  heartbeat(): void;
}

export class Broker extends EventEmitter {
  constructor(endpoint: string, conf?: BrokerConf);
  readonly endpoint: string;
  conf: BrokerConf & Record<string, any>;
  /** Binds the endpoint. `conf.onStart` and `start` follow, or `error`. */
  start(): void;
  /** Stops the broker. `conf.onStop` and `stop` follow. */
  stop(): void;
}

export class Worker extends EventEmitter {
  constructor(broker: string, service: string, conf?: WorkerConf);
  readonly broker: string;
  readonly service: string;
  conf: WorkerConf & Record<string, any>;
  /** The identity, while the worker is running. */
  get socketId(): string | undefined;
  /** Starts the worker; restarts a running one. */
  start(): void;
  /** Stops at once: running requests are lost, or start again at another worker. */
  stop(): void;
  heartbeat(opts?: object): void;
  on(event: 'request', listener: (data: any, reply: Reply, opts: RequestOptions) => unknown): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

export class Client extends EventEmitter {
  constructor(broker: string, conf?: ClientConf);
  readonly broker: string;
  conf: ClientConf & Record<string, any>;
  /** The identity, while the client is running. */
  get socketId(): string | undefined;
  /** Starts the client; restarts a running one. */
  start(): void;
  /** Stops at once: outstanding requests end with `C_STOPPED`. */
  stop(): void;
  /** Makes a request with a stream, whose `error` events carry bare values and codes. */
  request(service: string, data?: any, opts?: RequestOptions): RequestStream;
  /** Makes a request with callbacks. `finalCb` gets `(0, data)`, or the error value and null. */
  request(
    service: string,
    data: any,
    partialCb: ((error: null, data: any) => void) | null | undefined,
    finalCb: ((error: any, data: any) => void) | null | undefined,
    opts?: RequestOptions,
  ): undefined;
  requestStream(service: string, data?: any, opts?: RequestOptions): RequestStream;
  heartbeat(rid?: string): void;
}

export namespace services {
  /** Serves `$dir`: the identities of the workers of each service, or of the requested one. */
  export class Directory {
    constructor(
      endpoint: string,
      conf?: { onStart?: () => void; onStop?: () => void; [other: string]: unknown },
    );
    conf: Record<string, any>;
    /** The worker, while the directory is running. */
    wrk: Worker | undefined;
    start(): void;
    stop(): void;
  }
}
