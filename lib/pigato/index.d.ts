// biome-ignore-all lint/suspicious/noExplicitAny: where the user gives no type, JavaScript decides

import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** Options of a client; read whenever they are used. */
export interface ClientConf {
  /** Whether it starts at once. @defaultValue false */
  autostart?: boolean;
  /** The first part of the identity, which has a part of its own for each start. @defaultValue `C` and a UUID */
  prefix?: string;
  /** ms between two heartbeats. @defaultValue 2500 */
  heartbeat?: number;
  /** ms from the loss of a broker to the next attempt. @defaultValue 1000 */
  reconnect?: number;
  /** The idle timeout of requests in ms; -1 is none. @defaultValue 60000 */
  timeout?: number;
  /** Whether a request whose worker is lost starts again. @defaultValue 0 */
  retry?: number | boolean;
  onConnect?: (() => void) | null;
  onDisconnect?: (() => void) | null;
  [other: string]: unknown;
}

/** Options of a worker; read whenever they are used. */
export interface WorkerConf {
  /** The first part of the identity, which has a part of its own for each start. @defaultValue `W` and a UUID */
  prefix?: string;
  /** ms between two heartbeats. @defaultValue 2500 */
  heartbeat?: number;
  /** ms from the loss of a broker to the next attempt. @defaultValue 1000 */
  reconnect?: number;
  /** How many requests it handles at once; -1 is without limit. May be changed at any time. @defaultValue 100 */
  concurrency?: number;
  onConnect?: (() => void) | null;
  onDisconnect?: (() => void) | null;
  [other: string]: unknown;
}

/** Options of a broker; read at `start()`. */
export interface BrokerConf {
  /** ms between two heartbeats. @defaultValue 2500 */
  heartbeat?: number;
  /** After how many silent heartbeats a worker is lost. @defaultValue 3 */
  heartbeatLiveness?: number;
  /** The identity. @defaultValue `B` and a UUID */
  name?: string;
  onStart?: (() => void) | null;
  onStop?: (() => void) | null;
  [other: string]: unknown;
}

/** Options of a request. The handler gets all of them, whatever they are. */
export interface RequestOptions {
  /** The idle timeout in ms; -1 is none. @defaultValue that of the client */
  timeout?: number;
  /** Whether it starts again when its worker is lost. @defaultValue that of the client */
  retry?: number | boolean;
  [other: string]: unknown;
}

/** The reply to a request: `write()` sends a partial, `end()` the final. */
export interface Reply extends Writable {
  /** Ends the request with an error value. */
  error(value: unknown): void;
  /** Does not take the request. */
  reject(reason?: unknown): void;
  heartbeat(): void;
  /** Whether somebody still waits for the reply. */
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
  /** Binds; `conf.onStart` and `start` follow, or `error`. */
  start(): void;
  /** `conf.onStop` and `stop` follow. */
  stop(): void;
}

export class Worker extends EventEmitter {
  constructor(broker: string, service: string, conf?: WorkerConf);
  readonly broker: string;
  readonly service: string;
  conf: WorkerConf & Record<string, any>;
  /** Its identity, while it runs. */
  get socketId(): string | undefined;
  /** While it runs, it starts anew. */
  start(): void;
  /** Ends at once: what runs is lost, or starts again at another worker. */
  stop(): void;
  heartbeat(opts?: object): void;
  on(event: 'request', listener: (data: any, reply: Reply, opts: RequestOptions) => unknown): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

export class Client extends EventEmitter {
  constructor(broker: string, conf?: ClientConf);
  readonly broker: string;
  conf: ClientConf & Record<string, any>;
  /** Its identity, while it runs. */
  get socketId(): string | undefined;
  /** While it runs, it starts anew. */
  start(): void;
  /** Ends at once: requests that have not ended get `C_STOPPED`. */
  stop(): void;
  /** A stream, whose `error` events carry bare values and codes. */
  request(service: string, data?: any, opts?: RequestOptions): RequestStream;
  /** `finalCb` gets `(0, data)`, or the error value and null. */
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
  /** Serves `$dir`: the identities of the workers of each service, or of the one that is asked for. */
  export class Directory {
    constructor(
      endpoint: string,
      conf?: { onStart?: () => void; onStop?: () => void; [other: string]: unknown },
    );
    conf: Record<string, any>;
    /** Its worker, while it runs. */
    wrk: Worker | undefined;
    start(): void;
    stop(): void;
  }
}
