// biome-ignore-all lint/suspicious/noExplicitAny: where the user gives no type, JavaScript decides

/// <reference types="node" />

import type { LookupAddress } from 'node:dns';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';

// ---------------------------------------------------------------------------------------------- values

/**
 * What arrives if the other side gave a `Buffer`, a typed array, a `DataView` or an `ArrayBuffer` as the whole data,
 * partial, final or error value: the same bytes.
 *
 * Any other value arrives as its JSON form; `undefined`, functions and symbols arrive as `null`. A value that JSON cannot
 * express (a cycle, a `bigint`) throws a `TypeError` at the caller, and nothing is sent.
 */
export type Bytes = Buffer;

/** Small facts about a request for its handler. Tracing uses `traceparent`. */
export interface RequestHeaders {
  [name: string]: string | number | boolean | undefined;
}

// ---------------------------------------------------------------------------------------------- errors

// generated: error codes
/**
 * The codes of failures that are found by this package, as opposed to the error values that workers give. docs/errors.md
 * says what to do about each.
 *
 * - `C_TIMEOUT`: no sign of the reply within the timeout
 * - `C_ABORTED`: the request was aborted
 * - `W_LOST`: the worker was lost, or stopped, while it held the request
 * - `W_NONE`: no worker offers the service
 * - `B_QUEUE_FULL`: the broker's queue for the service is full
 * - `B_LOST`: the broker was lost while it held the request
 * - `B_DENIED`: the broker denied the request
 * - `C_SLOW`: the client did not take what it was sent
 * - `W_BAD_REPLY`: the reply did not hold valid JSON
 * - `C_NAME_TAKEN`: another peer of the broker has the name
 * - `C_TOO_LARGE`: the request is too large for its receiver
 * - `W_TOO_LARGE`: the reply is too large for its receiver
 * - `W_TIMEOUT`: the handler took longer than its worker allows
 * - `W_NO_STREAMS`: the worker or its broker takes no stream as a request's data
 * - `W_REJECTED`: every worker of the service rejected the request
 * - `C_STOPPED`: the client was stopped before the reply came
 * - `B_TOO_LARGE`: the snapshot is too large
 * - `B_REFUSED`: the broker does not let this peer in
 */
export type ErrorCode =
  | 'C_TIMEOUT'
  | 'C_ABORTED'
  | 'W_LOST'
  | 'W_NONE'
  | 'B_QUEUE_FULL'
  | 'B_LOST'
  | 'B_DENIED'
  | 'C_SLOW'
  | 'W_BAD_REPLY'
  | 'C_NAME_TAKEN'
  | 'C_TOO_LARGE'
  | 'W_TOO_LARGE'
  | 'W_TIMEOUT'
  | 'W_NO_STREAMS'
  | 'W_REJECTED'
  | 'C_STOPPED'
  | 'B_TOO_LARGE'
  | 'B_REFUSED';
// end of error codes

/**
 * A failure found by this package, on promises, in `for await` loops and on the `error` event of streams. Callbacks get its
 * `code` alone, a string.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see below
export class OmdpError extends Error {
  constructor(
    code: ErrorCode | (string & {}),
    options?: { message?: string; cause?: unknown } & RequestContext,
  );
  /** Stable; the message is not. */
  readonly code: ErrorCode | (string & {});
  /** For `C_ABORTED` the signal's reason; for `C_STOPPED` why the client could not start, if that was it. */
  readonly cause?: unknown;
}

export interface OmdpError extends RequestContext {}

/** What is known of a request that failed. */
export interface RequestContext {
  /** Its service. */
  readonly service?: string;
  /** Its id. */
  readonly rid?: string;
  /** Of a worker's `reply.signal.reason`: which start of the request it was. */
  readonly attempt?: number;
  /** How many ms had passed since it was made. */
  readonly elapsed?: number;
  /** Of a client with one broker: its endpoint. */
  readonly endpoint?: string;
  /** The name of the worker that had it, where the broker said so: of a `RemoteError`, `W_LOST`, or `C_TIMEOUT`. */
  readonly worker?: string;
}

/**
 * The error value that a worker gave `reply.error()`, on promises, in `for await` loops and on the
 * `error` event of streams. Callbacks get the value itself.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see below
export class RemoteError<TValue = any> extends Error {
  constructor(value: TValue, context?: RequestContext);
  /** The very value. For an `Error` it is `{ message, name, code }`. */
  readonly value: TValue;
  /**
   * `value.code`, where that is a string. Workers of this package make some error values themselves, with the
   * codes `W_NO_HANDLER` (nobody listens to `request`), `W_DESTROYED` (the reply was destroyed before it ended)
   * and `C_BAD_REQUEST` (what the client sent is not JSON).
   */
  readonly code?: string;
}

// biome-ignore lint/correctness/noUnusedVariables: both declarations have the same parameters
export interface RemoteError<TValue = any> extends RequestContext {}

// --------------------------------------------------------------------------------------- what all share

/** What a peer failed to start with; `code` is the system's or ZeroMQ's, such as `EADDRINUSE`. */
export interface StartError extends Error {
  code: string;
}

export interface StopOptions {
  /**
   * How long to wait for the handlers of a worker that are running, for what runs at the workers of a broker, or for a
   * client's drain, in ms. 0 doesn't wait, -1 waits for as long as it takes. A second `stop()` can shorten the time that
   * the first one gave. A broker that is given none does not wait.
   * @defaultValue -1
   */
  timeout?: number;
  /**
   * For a broker: whether every request ends with `B_LOST` at once. Otherwise the broker leaves what it has to the next one,
   * as at its death, and nothing is lost. A worker and a client ignore it.
   * @defaultValue false
   */
  discard?: boolean;
  /**
   * Of a client: its outstanding requests end first; it takes no new ones.
   * @defaultValue false
   */
  drain?: boolean;
}

/** Why a connection ended. */
export type DisconnectReason =
  | 'connection lost'
  | 'heartbeat lost'
  | 'disconnected by the broker'
  | 'request given up'
  | 'event loop blocked'
  | 'name taken'
  | 'stopped'
  | 'endpoint removed';

/** Events of all three. `start` and `stop` come once per transition. */
export interface PeerEvents {
  /** It runs: a broker is bound, a worker or client has its socket and connects by itself. */
  start: [];
  /** It has stopped, and holds nothing any more. */
  stop: [];
  /** The connection to `endpoint` came about, one of several if there are several; for a broker, it is bound there. */
  connect: [endpoint: string];
  /**
   * The connection to `endpoint` was lost, and why. It is made again by itself unless the peer was stopped; for
   * a broker, it is not bound there any more.
   */
  disconnect: [endpoint: string, reason: DisconnectReason];
  /**
   * It could not start (only when no callback was given to `start()`), or, for a worker, a `request` listener
   * threw or rejected. Without a listener nothing is thrown: the promise of `start()` rejects, and the client
   * gets the handler's error, in any case.
   */
  error: [error: any];
}

/**
 * An EventEmitter that knows its events. `Peer` alone is any of the three, for functions that take each of them.
 *
 * What `events.once()` and `events.on()` give is an array for Node's types; {@link WorkerEvents}, {@link ClientEvents} and
 * {@link BrokerEvents} have its members, as in `const [data, reply] = (await once(worker, 'request')) as WorkerEvents['request']`.
 */
// Not of `EventEmitter<Events>`: that takes any event, and no client would be a Peer.
declare class Peer<
  Events extends PeerEvents & { [E in keyof Events]: any[] } = PeerEvents,
> extends EventEmitter {
  /** The identity on the wire: `conf.name`, or a random one. */
  readonly name: string;

  /** The options as they were taken, with defaults; without those of security. */
  readonly conf: Readonly<Record<string, any>>;

  /**
   * Starts. Calling it again while it starts or runs changes nothing, and tells the same outcome.
   * Starts and stops run one after the other, in the order of the calls.
   *
   * The promise rejects with a {@link StartError}; if `error` has a listener it gets the error too, and then
   * the rejection need not be handled.
   */
  start(): Promise<void>;
  /**
   * Starts, and calls `callback()` or `callback(error)`.
   * @throws {TypeError} if `callback` is not a function
   */
  start(callback: (error?: StartError) => void): void;
  start(callback?: ((error?: StartError) => void) | null): Promise<void> | undefined;

  /** Stops. It can be started again. Resolves at once if it doesn't run. */
  stop(options?: StopOptions | null): Promise<void>;
  /** Stops, and calls `callback()`. */
  stop(callback: () => void): void;
  stop(options: StopOptions | null | undefined, callback: () => void): void;

  /** `stop()`, so that `await using` stops it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>;

  on<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => unknown): this;
  once<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => unknown): this;
  off<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => unknown): this;
  emit<E extends keyof Events & string>(event: E, ...args: Events[E]): boolean;
  addListener<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => unknown): this;
  removeListener<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => unknown): this;
  prependListener<E extends keyof Events & string>(event: E, listener: (...args: Events[E]) => unknown): this;
  prependOnceListener<E extends keyof Events & string>(
    event: E,
    listener: (...args: Events[E]) => unknown,
  ): this;
}

/**
 * What is spoken on the wire: the protocol of zmq-omdp, MDP 0.1 (RFC 7), MDP 0.2 (RFC 18), MDP 0.2 as majortomo
 * sends it, or the protocol of PIGATO.
 */
export type Protocol = 'omdp' | 'mdp/0.1' | 'mdp/0.2' | 'mdp/0.2-majortomo' | 'pigato';

/** Looks up all addresses of a host, by its callback or its promise: `dns.lookup`, `dns.promises.lookup`, or one like them. */
export type Lookup = (
  hostname: string,
  options: { all: true },
  callback: (error: Error | null, addresses: string | LookupAddress[], family?: number) => void,
) => unknown;

/** Where a broker is, as an SRV record has it: `dns.resolveSrv()` gives such, and more. */
type SrvTarget = { name: string; port: number; priority?: number };

/** Looks up SRV records: `dns.resolveSrv`, `dns.promises.resolveSrv`, or one like them. */
export type ResolveSrv = (
  name: string,
  callback: (error: Error | null, records: SrvTarget[]) => void,
) => unknown;

/** Options of all three. An option that is unknown, of the wrong type or out of range throws. */
export interface PeerConf {
  /**
   * The interval of heartbeats to the other side, in ms: 1 to 2147483647.
   * @defaultValue 2500
   */
  heartbeat?: number;
  /**
   * The number of silent heartbeat intervals after which the other side counts as lost: 1 to 1000.
   * @defaultValue 3
   */
  liveness?: number;
  /**
   * The largest body that is sent or taken, in bytes: 65536 and up. What is larger is a RangeError where it is given, and
   * ends its request with `C_TOO_LARGE` or `W_TOO_LARGE` where it would arrive.
   * @defaultValue 268435456
   */
  maxMessageSize?: number;
  /**
   * The identity on the wire: 1 to 255 bytes, not beginning with NUL. No two peers of a broker may have the
   * same.
   * @defaultValue `'B'`, `'W'` or `'C'` and random characters
   */
  name?: string;
  /**
   * Accepted and ignored, because code for 0.0.92 sets it.
   * @deprecated
   */
  debug?: unknown;
}

// -------------------------------------------------------------------------------------------- security

/** A CURVE key: 40 characters of Z85, or its 32 bytes. */
export type CurveKey = string | Uint8Array;

type MaybePromise<T> = T | PromiseLike<T>;

/** How a worker or client authenticates, with the option names of zeromq.js. For `tcp` and `ipc`. */
export interface ClientSecurity {
  /** The broker's public key; selects CURVE. */
  curveServerKey?: CurveKey | null;
  /** The peer's own secret key. */
  curveSecretKey?: CurveKey | null;
  /** The public key of `curveSecretKey`; derived from it if missing. */
  curvePublicKey?: CurveKey | null;
  /** Selects PLAIN, which encrypts nothing. 1 to 255 bytes. */
  plainUsername?: string | null;
  /** 1 to 255 bytes. */
  plainPassword?: string | null;
}

/** The mechanism that a broker requires, with the option names of zeromq.js. For `tcp` and `ipc`. */
export interface ServerSecurity {
  /** Selects CURVE. */
  curveServer?: boolean;
  /** The broker's secret key. */
  curveSecretKey?: CurveKey | null;
  /** The public key of `curveSecretKey`; optional, and checked if given. */
  curvePublicKey?: CurveKey | null;
  /** Selects PLAIN, which encrypts nothing. Requires `security`. */
  plainServer?: boolean;
  /**
   * The rules: which peers are admitted, and what they may serve and call. With CURVE and without rules, every peer is
   * admitted that knows the broker's public key; its own public key is then the name of the user.
   */
  security?: SecurityRules | null;
  /**
   * The user as which peers over `inproc` act, who are in the process already: 1 to 255 bytes without control characters. The
   * rules apply to it as to any user. Without it a broker with security binds no `inproc` endpoint.
   */
  inprocUser?: string | null;
}

/** The rules of a broker. A native thread applies them, so a busy JavaScript thread delays no peer. */
export interface SecurityRules {
  /** By the name of the user; `'*'` stands for all users that are not listed, and has neither keys nor a password. */
  users?: { readonly [user: string]: UserRules };
  /**
   * Called for peers that `users` does not know: `true` admits the peer under its public key or user name, an object
   * admits it under `userId`, any other result or an error refuses it.
   */
  authenticate?: (peer: AuthenticatingPeer) => MaybePromise<boolean | Authenticated | null | undefined>;
  /**
   * How long `authenticate` may take, in ms; then the peer is refused.
   * @defaultValue 5000
   */
  authenticateTimeout?: number;
  /**
   * Called for actions that the rules do not grant: `true` grants the action. The result is remembered until
   * `broker.allow()`.
   */
  authorize?: (question: AuthorizationQuestion) => MaybePromise<boolean>;
  /**
   * How long `authorize` may take, in ms; then the action is denied, and the denial is not remembered.
   * @defaultValue 5000
   */
  authorizeTimeout?: number;
}

/**
 * The rules of a user. A user with neither `serve` nor `call` may do everything, unless there is an `authorize`; a user
 * with one of them may do only that.
 */
export interface UserRules {
  /** CURVE: the public keys of this user. */
  keys?: CurveKey | readonly CurveKey[];
  /** PLAIN: the password, as clear text or as a hash of `hashPassword()`. */
  password?: string;
  /** The services that its workers may serve. `*` stands for any characters. */
  serve?: string | readonly string[];
  /** The services that its clients may call. */
  call?: string | readonly string[];
}

/** A peer that asks to be admitted. */
export interface AuthenticatingPeer {
  /** Its IP address; empty over `ipc`. */
  readonly address: string;
  readonly mechanism: 'curve' | 'plain';
  /** CURVE: the public key of the peer. */
  readonly publicKey?: string;
  /** PLAIN. */
  readonly username?: string;
  /** PLAIN. */
  readonly password?: string;
}

/** The user as which a peer is admitted. */
export interface Authenticated {
  /** 1 to 255 bytes without control characters. */
  userId: string;
  /** JSON of at most 4096 bytes; handlers get it as `opts.userMetadata`. */
  metadata?: unknown;
}

/** Asks whether a user may perform an action. */
export interface AuthorizationQuestion {
  readonly user: string;
  /** The metadata that `authenticate` returned. */
  readonly userMetadata?: any;
  readonly action: 'serve' | 'call';
  readonly service: string;
  /** True for a worker of a pattern: `service` is the pattern, and stands for all names that begin so. */
  readonly pattern?: boolean;
}

/** How many peers and requests were refused since the broker was created. */
export interface Refusals {
  /** Handshakes that failed. */
  readonly peers: number;
  /** Workers that tried to serve a service without permission. */
  readonly workers: number;
  /** Requests for services that the client may not call. */
  readonly requests: number;
  /**
   * Messages about requests in which the sender has no part. A few are normal, because a reply may cross a
   * cancellation.
   */
  readonly strays: number;
}

/** A new pair of CURVE keys, as Z85. */
export function curveKeyPair(): { publicKey: string; secretKey: string };

/** A hash of a password, by scrypt, for `password` in the rules of a broker. */
export function hashPassword(password: string): Promise<string>;

// --------------------------------------------------------------------------------------------- schemas

/** A schema as zod, valibot, arktype and others have it: [Standard Schema](https://standardschema.dev). */
export interface StandardSchema<TInput = unknown, TOutput = TInput> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<TOutput> | Promise<SchemaResult<TOutput>>;
    readonly types?: { readonly input: TInput; readonly output: TOutput } | undefined;
  };
}

/** What a schema says of a value. */
export type SchemaResult<TOutput> =
  | { readonly value: TOutput; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The schemas of a service. The side that sends data has them checked, and sends them as they were given; the side that
 * receives them gets what the schema makes of them. A schema must not be asynchronous.
 */
export interface ServiceSchema {
  /** Of the data of requests. */
  request?: StandardSchema<any, any>;
  /** Of what `write()` sends. */
  partial?: StandardSchema<any, any>;
  /** Of what `end()` sends; nothing is `null`. */
  reply?: StandardSchema<any, any>;
}

/** The schemas of services, by their names. */
export interface ServiceSchemas {
  [service: string]: ServiceSchema;
}

/** Data that a schema refuses: a `TypeError` with this code. */
export interface SchemaError extends TypeError {
  readonly code: 'ERR_OMDP_SCHEMA';
  readonly issues: readonly SchemaIssue[];
}

// ---------------------------------------------------------------------------------------------- broker

export interface BrokerConf extends PeerConf, ServerSecurity {
  /**
   * To which of the versions that satisfy its range a request goes: to the highest, or to all, so that they share the work.
   * @defaultValue 'highest'
   */
  versions?: 'highest' | 'all';
  /**
   * How long a request waits until it is as urgent as one of the next priority that comes then, in ms.
   * @defaultValue 10000
   */
  priorityAgeing?: number;
  /** Policies and rates of services, by name or by a pattern with `*`. They go before what workers say. */
  services?: Record<string, ServicePolicy> | null;
  /**
   * How long the handshake of a connection may take, in ms; then it is closed.
   * @defaultValue 10000
   */
  handshakeInterval?: number;
  /**
   * The dialects that the broker accepts; messages of others are dropped. Each peer is answered in its dialect.
   * @defaultValue all of them
   */
  dialects?: readonly Protocol[];
  /**
   * How long a request of an MDP client waits for a worker, in ms; MDP has no timeouts of its own. -1 is no limit. A
   * request that a worker has does not expire.
   * @defaultValue 60000
   */
  expiry?: number;
  /**
   * How many requests may wait for one service: 0 and up, or -1 for no limit. Further requests end with `B_QUEUE_FULL`; a
   * request that a worker can take at once does not wait.
   * @defaultValue 262144
   */
  maxQueue?: number;
  /**
   * How many bytes may wait for one service, data and options: 0 and up, or -1 for no limit.
   * @defaultValue 268435456
   */
  maxQueueBytes?: number;
  /**
   * How many requests may wait in total: 0 and up, or -1 for no limit.
   * @defaultValue 1048576
   */
  maxTotalQueue?: number;
  /**
   * How many bytes may wait in total: 0 and up, or -1 for no limit.
   * @defaultValue 1073741824
   */
  maxTotalQueueBytes?: number;
  /**
   * How many bytes the broker may keep for its peers in all: requests with their ids, names, options and bodies, whether
   * they wait or run, and what else a peer makes it keep. 0 and up, or -1 for no limit.
   * @defaultValue 536870912
   */
  maxHeld?: number;
  /**
   * The same for all peers of one user.
   * @defaultValue 402653184
   */
  maxHeldPerUser?: number;
  /**
   * How many bytes the broker may keep for all peers that are connected from one address: 0 and up, or -1 for no limit. Peers
   * over ipc and inproc have none.
   * @defaultValue 469762048
   */
  maxHeldPerAddress?: number;
  /**
   * The same for one peer. One that goes on although it is refused is sent away, each time for longer.
   * @defaultValue 268435456
   */
  maxHeldPerPeer?: number;
  /**
   * After the end of a `tcp` connection, how long its client or worker may take to come back before what it had is given
   * up, in ms. Over `ipc` and `inproc` it is 100 ms at most.
   * @defaultValue 1000
   */
  reconnectGrace?: number;
  /**
   * How long an MDP worker that has a request may be silent, in ms: many send no heartbeats while they work. A broken
   * connection is noticed at once in any case.
   * @defaultValue 900000
   */
  busyTimeout?: number;
  /**
   * How many connections there may be, -1 for no limit.
   * @defaultValue 16384
   */
  maxConnections?: number;
  /**
   * How many connections one address may have, -1 for no limit.
   * @defaultValue 8192
   */
  maxConnectionsPerAddress?: number;
  /**
   * How many connections one user may have, -1 for no limit.
   * @defaultValue 8192
   */
  maxConnectionsPerUser?: number;
  /**
   * How many ms a connection may say nothing after its handshake before it is closed, -1 for no limit.
   * @defaultValue 60000
   */
  silenceInterval?: number;
  /**
   * How many bytes may lie ready for a peer that does not take them, 65536 and up. One for which more would is taken
   * for lost: it is disconnected, and the requests that it has end.
   * @defaultValue 67108864
   */
  maxPeerBytes?: number;
  /** The mode of the socket file of an ipc endpoint, as in `fs.chmod()`. The system's unless given. */
  ipcMode?: number;
  /**
   * Whether each request that ends is told, by the event `requestEnded`.
   * @defaultValue false
   */
  logRequests?: boolean;
  /**
   * How many services have numbers of their own in `stats()` and in metrics, 0 to 1000000; those of the others are added up.
   * @defaultValue 1000
   */
  maxMeasuredServices?: number;
  /**
   * How long the broker's thread polls for the next message before it sleeps, in µs, when traffic is low: 0 to 1000000. It
   * saves the cost of waking a thread for a single request, at the price of processor time; under load it has no effect.
   * `'auto'` spins while messages follow each other soon, for at most a tenth of the time unless requests follow each other
   * without a pause, and never in a process with one core.
   * @defaultValue 'auto'
   */
  spin?: number | 'auto';
}

/** Why a broker's worker has gone. */
export type WorkerGoneReason =
  | 'goodbye'
  | 'connection lost'
  | 'heartbeat lost'
  | 'protocol error'
  | 'replaced'
  | 'broker stopped'
  | 'denied'
  | 'too slow';

/** Why a broker's client was lost. */
export type ClientGoneReason = Exclude<WorkerGoneReason, 'goodbye' | 'protocol error'>;

/** Events for operators. Names and identities that are not valid UTF-8 are shown in a readable form. */
/** The `address` of an event is that of the peer, with its port; a peer over ipc or inproc has none. */
export interface BrokerEvents extends PeerEvents {
  /** A worker has registered for `service`. */
  workerReady: [event: { worker: string; service: string; address?: string }];
  /** A worker has left, and why; `lost` is how many requests it held. */
  /** A worker does not want a request, which goes to another one. Some hundred times a second at most. */
  requestRejected: [event: { service: string; worker: string; reason: any; address?: string }];
  workerGone: [
    event: { worker: string; service: string; reason: WorkerGoneReason; lost: number; address?: string },
  ];
  /**
   * A client was lost, and why: it was silent, did not read, or its connection broke while it had
   * requests. `lost` is how many were cancelled.
   */
  clientGone: [event: { client: string; reason: ClientGoneReason; lost: number; address?: string }];
  /** A request timed out; `running` tells whether a worker had it. */
  requestExpired: [event: { service: string; running: boolean }];
  /** A handshake failed, or a connection was closed by the broker, and why; how much is known of the peer depends on how far it came. */
  peerRefused: [
    event: {
      reason: string;
      address?: string;
      mechanism?: 'curve' | 'plain';
      publicKey?: string;
      username?: string;
      /** How many such events were left out since the last one: there are at most ten a second. */
      missed?: number;
    },
  ];
  /** The process has no descriptor left for another connection. At most once a second. */
  descriptorsExhausted: [event: { connections: number }];
  /** A peer wanted what its user may not: a worker was sent away, a request ended with `B_DENIED`. */
  denied: [
    event: { peer: string; user: string; action: 'serve' | 'call'; service: string; address?: string },
  ];
  /**
   * A request was refused because of a limit. Emitted when a queue becomes full, and again after it was half empty; not
   * for each request. With `total` the limit and the numbers are those of all queues together.
   */
  queueFull: [event: { service: string; queued: number; queuedBytes: number; total: boolean }];
  /**
   * Something was refused because the broker would have kept more for a `peer`, a `user`, an `address` or in `total` than it may:
   * `heldBytes` of `limit` were kept. Told ten times a second at most.
   */
  limitReached: [
    event: {
      peer: string;
      user: string;
      scope: 'peer' | 'user' | 'address' | 'total';
      heldBytes: number;
      limit: number;
      address?: string;
    },
  ];
  /** A message that makes no sense came, and was dropped. */
  badMessage: [event: { peer: string; reason: string; address?: string }];
  /** A request has ended. Only with the option `logRequests`. */
  requestEnded: [event: EndedRequest];
}

/** A request that has ended, as the broker saw it. Times are in ms. */
export interface EndedRequest {
  /** As its client numbers it. */
  rid: string;
  service: string;
  client: string;
  /** Who had it at the end, if anybody. */
  worker: string | null;
  /** Which start it was; 0 if it was turned away. */
  attempt: number;
  /** From when it came to when that worker was given it. */
  queue: number;
  /** How long that worker had it. */
  work: number | null;
  /** `'ok'`, `'error'` for an error value of the worker, or a code. */
  outcome: string;
  /** Requests that ended since the event before this one, and have no event: see the option `logRequests`. */
  omitted: number;
}

/** Counts and times of requests that were for a service, since the start of the broker. */
export interface ServiceNumbers {
  readonly counters: {
    /** Those that came, turned away or not. */
    readonly requests: number;
    readonly replies: number;
    readonly failures: number;
    readonly partials: number;
    readonly errors: { readonly [code: string]: number };
    readonly cancelled: number;
    readonly retried: number;
    /** Data and options of requests. */
    readonly bytesIn: number;
    /** Parts and finals of replies. */
    readonly bytesOut: number;
  };
  /** Of requests that have ended: until a worker had them, how long it had them, and in all. */
  readonly latency: { readonly queue: Latency; readonly work: Latency; readonly total: Latency };
}

/**
 * A histogram of times, in ms. Percentiles are exact to an eighth. Histograms of several brokers are merged by adding the
 * counts of their buckets.
 */
export interface Latency {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  /** Upper bound and count of each bucket that is not empty, in ascending order. */
  readonly buckets: readonly (readonly [upper: number, count: number])[];
}

/** A snapshot of a broker. */
export interface BrokerStats {
  /** Services that have a worker or a request that waits. `idle` workers could run a request now. */
  readonly services: readonly (ServiceNumbers & {
    readonly name: string;
    /** Whether its numbers outlive it: a worker has served it, and it is among the first `maxMeasuredServices`. */
    readonly named: boolean;
    readonly workers: number;
    readonly idle: number;
    readonly queued: number;
    readonly queuedBytes: number;
    /** For how long the first of its queue has waited, in ms. */
    readonly oldest: number;
    readonly running: number;
  })[];
  /** Numbers of services that were served and are not there now. */
  readonly absentServices: readonly (ServiceNumbers & { readonly name: string })[];
  /** Numbers of all other services together. */
  readonly otherServices: ServiceNumbers;
  readonly workers: readonly {
    readonly name: string;
    readonly service: string;
    readonly dialect: Protocol;
    readonly running: number;
    /** Requests that it has answered, and how many of them with an error value. */
    readonly ended: number;
    readonly failed: number;
    /** From where it is connected, with the port; a peer over ipc or inproc has no address. */
    readonly address?: string;
    /** For how long it is there, and has said nothing, in ms. */
    readonly since: number;
    readonly silent: number;
  }[];
  readonly clients: number;
  /** The first thousand clients. */
  readonly clientList: readonly {
    readonly name: string;
    readonly dialect: Protocol;
    readonly requests: number;
    readonly address?: string;
    readonly since: number;
    readonly silent: number;
  }[];
  /** Those that have not ended: `queued` and `running`. */
  readonly requests: number;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly running: number;
  /** What is kept for peers, as `maxHeld` counts it. */
  readonly heldBytes: number;
  /** Peers that are there, and messages that came. */
  readonly dialects: Readonly<
    Record<Protocol, { readonly workers: number; readonly clients: number; readonly messages: number }>
  >;
  /** What has happened since the start. */
  readonly counters: {
    readonly requests: number;
    /** Finals. */
    readonly replies: number;
    /** Error values of workers. */
    readonly failures: number;
    readonly partials: number;
    /** Requests that ended with a code of this package, by code. */
    readonly errors: { readonly [code: string]: number };
    readonly expired: number;
    readonly cancelled: number;
    /** Second and later starts. */
    readonly retried: number;
    /** How often workers rejected requests. */
    readonly rejected: number;
    /** Turned away because of a limit. */
    readonly refused: number;
    readonly badMessages: number;
    readonly slowPeers: number;
    /** What was refused because more would have been kept than may. */
    readonly overLimit: number;
  };
  /** How large each table is. When nobody is connected all are empty. */
  readonly tables: { readonly [table: string]: number };
  readonly refusals: Refusals;
}

/** A snapshot of a worker or client. */
export interface PeerStats {
  /** Whether there is a broker. */
  readonly connected: boolean;
  /** Requests that have not ended. */
  readonly outstanding: number;
  /** Of a worker: those that its handler was not given yet. Of a client: those that wait for a broker. */
  readonly queued: number;
  /** Of a worker: those that its handler has. Of a client: those that a broker has. */
  readonly running: number;
  /** What has happened since it was made. */
  readonly counters: {
    /** Of a worker: those that its handler was given. Of a client: those that were made. */
    readonly requests: number;
    /** Finals. */
    readonly replies: number;
    /** Error values. */
    readonly failures: number;
    readonly partials: number;
    /** Requests that ended with a code of this package, by code; of a worker: those that were cancelled. */
    readonly errors: { readonly [code: string]: number };
    /** Of a worker: requests that had started at another one before. Of a client 0: the broker starts them. */
    readonly retried: number;
    /** Bytes of data received: of a worker in requests, of a client in replies. */
    readonly bytesIn: number;
    /** Bytes of data sent. */
    readonly bytesOut: number;
  };
  /**
   * Of requests that have ended. Of a worker: from the call of the handler to the end of the reply. Of a client: from the call
   * to the end.
   */
  readonly latency: Latency;
}

/**
 * Takes requests from clients and hands them to the workers of their services. Its work is done on a thread of
 * its own: JavaScript may be busy meanwhile.
 *
 * A broker that was started keeps the process alive until it has stopped.
 */
export class Broker extends Peer<BrokerEvents> {
  /**
   * @param endpoint - where to bind: `tcp://127.0.0.1:5555`, `tcp://*:*`, `ipc:///run/omdp`, `inproc://name`,
   * or several of them
   * @throws {TypeError | RangeError} for a bad option. Whether an endpoint is well-formed and free is told by
   * `start()`.
   */
  constructor(endpoint: string | readonly string[], conf?: BrokerConf | null);

  /** Where it is bound, with the ports that wildcards got. Empty while it doesn't run. */
  readonly endpoints: readonly string[];

  /**
   * Replaces all rules, at any time, of a broker with `curveServer` or `plainServer`. Peers that the new rules would not
   * let in, or that were let in by a callback, are disconnected; those come back by themselves and are asked anew.
   * @throws {TypeError | RangeError} for bad rules; the old ones stay
   */
  allow(rules: SecurityRules): void;

  /** How often somebody was refused. */
  readonly refusals: Refusals;

  /** What it holds and what it has done since it was started; all zero while it doesn't run. */
  stats(): Promise<BrokerStats>;
}

// ---------------------------------------------------------------------------------------------- worker

/** Which of the workers of a service that have room gets the next request. */
export type Balance = 'longest-idle' | 'least-loaded' | 'random' | 'weighted';

/** So many starts in any interval. */
export interface Rate {
  /** 1 to 1000000. */
  max: number;
  /** In ms, 1 and up. */
  interval: number;
}

/** What a broker says of a service. */
export interface ServicePolicy {
  balance?: Balance;
  rate?: Rate | null;
}

export interface WorkerConf extends PeerConf, ClientSecurity {
  /**
   * After a loss of the broker, how long to wait before connecting again, in ms.
   * @defaultValue 100
   */
  reconnect?: number;
  /**
   * The longest pause between two attempts to connect, in ms: each one in a row that leads to no broker doubles it.
   * @defaultValue 30000
   */
  reconnectMax?: number;
  /**
   * How many brokers there are behind the name of a host in an endpoint: one, whose addresses are tried in turn, or one at
   * each of its addresses, followed as they change.
   * @defaultValue 'one'
   */
  discover?: 'one' | 'all';
  /**
   * How often names of several brokers are looked up again, in ms; earlier when a broker can't be reached.
   * @defaultValue 30000
   */
  discoverInterval?: number;
  /**
   * What looks up the addresses of a name under `discover: 'all'`.
   * @defaultValue `dns.lookup`
   */
  lookup?: Lookup | null;
  /**
   * What looks up the SRV records of a name, for `tcp+srv://` and the name.
   * @defaultValue `dns.resolveSrv`
   */
  resolveSrv?: ResolveSrv | null;
  /**
   * The version of the service, for instance `'2.1.0'`: the worker registers as `service@version`, and gets the requests for
   * ranges that it satisfies.
   */
  version?: string | null;
  /**
   * Whether the service is a pattern: the worker serves all names that begin as it does. Its last character is `*`, and it
   * has no other. Without this a `*` is a character like any other.
   * @defaultValue false
   */
  pattern?: boolean;
  /**
   * The policy by which the service chooses among its workers. The broker's option `services` goes before it, and of several
   * workers the latest counts.
   * @defaultValue the broker's, or `'longest-idle'`
   */
  balance?: Balance | null;
  /**
   * How much of the work the worker gets under the policy `'weighted'`: 1 to 1000.
   * @defaultValue 1
   */
  weight?: number;
  /** How many requests of the service may start in an interval, over all its workers. What is beyond waits. */
  rate?: Rate | null;
  /**
   * How many requests may be running at a time: 1 and up, or -1 for no limit.
   * @defaultValue 1
   */
  concurrency?: number;
  /**
   * How many further requests the broker may hand over in advance: 0 to 65535; 0 disables it. The actual number adapts to
   * the speed of the handler. A prefetched request has not started, and returns to the broker if it cannot start within
   * some milliseconds.
   * @defaultValue 1024
   */
  prefetch?: number;
  /** What the worker is or does, for those who ask the broker: 1 to 512 bytes. See {@link Client.service}. */
  description?: string;
  /** What is told to those who ask the broker, of at most 4096 bytes as JSON. */
  metadata?: Readonly<Record<string, unknown>>;
  /**
   * How long the event loop may be blocked, in ms, before the worker counts as lost: the requests of its handlers are lost,
   * or go to another worker by `retry`. The worker returns when the event loop runs again. -1 is no bound.
   * @defaultValue -1
   */
  maxBlocked?: number;
  /**
   * How long a handler may take for a request, in ms. Then the request ends with `W_TIMEOUT`, `reply.signal` aborts, and the
   * next request has the place. -1 is no bound.
   * @defaultValue -1
   */
  maxRunning?: number;
  /**
   * What the broker speaks. Under MDP `concurrency` must be 1, the name is not sent, an error value goes as a final of
   * the frame `OMDP-ERROR` and the value, and under `'mdp/0.1'` partials go together with the final.
   * @defaultValue 'omdp'
   */
  protocol?: Protocol;
  /**
   * The schemas of its service. The types of its requests are inferred from them. A request that does not match gets an error
   * value with the code `C_BAD_REQUEST`; `write()` and `end()` throw a {@link SchemaError}.
   */
  schema?: ServiceSchema | null;
  /** The same for each service of a worker of several, by their names. Without a schema a service takes anything. */
  schemas?: ServiceSchemas | null;
}

/** The options of the request that are sent to the worker. Frozen, because requests share the object. */
export interface ReceivedOptions {
  /** In ms, -1 is none. Missing if the broker is of 0.0.92, which does not pass options on. */
  readonly timeout?: number;
  /** In ms, as the client has given it. What is left of it is `reply.remaining`. */
  readonly deadline?: number;
  readonly headers?: Readonly<RequestHeaders>;
  /** 1, or more if earlier attempts of the request failed; see {@link RequestOptions.retry}. */
  readonly attempt: number;
  /**
   * The name that the client asked for, where it is not the name of the worker's service: of a worker of a pattern, or of
   * a version that was asked for by a range.
   */
  readonly service?: string;
  /** Who the client is, from a broker that authenticates. No client can say it of itself. */
  readonly user?: string;
  /** What the broker's `authenticate` said of the user. */
  readonly userMetadata?: any;
  readonly [option: string]: unknown;
}

/**
 * Handles a request. It may be async; when it throws or rejects before the reply has ended, the client gets the
 * error as `{ message, name, code }`.
 */
export type RequestListener<TRequest = any, TPartial = any, TFinal = any> = (
  data: TRequest,
  reply: Reply<TPartial, TFinal>,
  opts: ReceivedOptions,
) => unknown;

export interface WorkerEvents<TRequest = any, TPartial = any, TFinal = any> extends PeerEvents {
  /** An invalid message was dropped. */
  badMessage: [event: { reason: string }];
  /**
   * The broker has not been reached for a second, and why the last attempt failed; again at growing intervals. Attempts
   * go on. Or the name of brokers could not be looked up.
   */
  unreachable: [event: { endpoint: string; code: string; reason: string }];
  /** Its brokers are at these endpoints from now on: by `setEndpoints()`, or because what is behind a name has changed. */
  endpoints: [endpoints: readonly string[]];
  /**
   * A request. The next comes when the reply to it has ended (or, with `concurrency`, to one of those that are
   * running). Without any listener the client gets an error value with the code `W_NO_HANDLER`.
   */
  request: [data: TRequest, reply: Reply<TPartial, TFinal>, opts: ReceivedOptions];
}

/**
 * Serves one service.
 *
 * A worker that was started keeps the process alive until `stop()`, and from then on as long as its running
 * handlers themselves do.
 *
 * @typeParam TRequest - the data of its requests
 * @typeParam TPartial - what its replies `write()`
 * @typeParam TFinal - what its replies `end()` with
 */
export class Worker<TRequest = any, TPartial = any, TFinal = any> extends Peer<
  WorkerEvents<TRequest, TPartial, TFinal>
> {
  /**
   * @param endpoint - the broker's, or those of several brokers: it serves all of them, and `concurrency` counts over
   *   all of them together
   * @param service - what it serves: 1 to 65535 bytes
   * @throws {TypeError | RangeError} for a bad argument, also for an endpoint that is there twice
   */
  constructor(
    endpoint: string | readonly string[],
    service: string,
    conf?:
      | (WorkerConf & {
          schema?: {
            request?: StandardSchema<any, TRequest>;
            partial?: StandardSchema<TPartial, any>;
            reply?: StandardSchema<TFinal, any>;
          } | null;
        })
      | null,
  );

  /**
   * Serves several services, with one `concurrency` for all of them. The handlers are called as listeners of `request` are, which
   * this worker has no use for. The broker sees a worker for each service, under the `name` if one is given, `/` and the
   * service. Each has a connection of its own, so `connect` comes for each.
   * @param services - handlers, by the names of their services
   * @throws {TypeError | RangeError} for a bad argument
   */
  constructor(
    endpoint: string | readonly string[],
    services: Readonly<Record<string, RequestListener<TRequest, TPartial, TFinal>>>,
    conf?: WorkerConf | null,
  );

  /** Where its brokers are. Empty until a name of several brokers was looked up. */
  readonly endpoints: readonly string[];

  /**
   * These are its brokers from now on; those that stay keep their connections. May be called at any time. A broker that leaves
   * gets nothing new: requests that have not started go to the others, and the connection ends when the others have ended.
   * @throws {TypeError | RangeError} for a bad argument
   */
  setEndpoints(endpoint: string | readonly string[]): void;

  /** Its service, or the first of them. */
  readonly service: string;

  /** All its services. */
  readonly services: readonly string[];

  /**
   * How many requests may be running at a time; -1 is no limit. May be changed at any time.
   * @throws {TypeError | RangeError}
   */
  concurrency: number;

  /** Whether it is paused; see {@link Worker.pause}. */
  readonly paused: boolean;

  /**
   * Takes no new request until `resume()`, and stays registered. Requests that have not started go back to the broker, for
   * other workers; those that run go on. May be called at any time: a worker that is not started begins paused. Toward a
   * broker of 0.0.92, or of MDP, one request may have come already; it waits in the worker.
   */
  pause(): void;

  /** Takes requests again. */
  resume(): void;

  /** The state of its requests, and what it has done since it was made. */
  stats(): Promise<PeerStats>;

  /**
   * Takes no new request, waits for those that are running, and leaves the broker. A reply that is still
   * running when the time is over is cancelled: its `active()` is false, its `signal` aborts.
   */
  stop(options?: StopOptions | null): Promise<void>;
  stop(callback: () => void): void;
  stop(options: StopOptions | null | undefined, callback: () => void): void;
}

/**
 * The reply to one request, an objectMode `Writable`. It must be ended, by `end()`, `error()` or `destroy()`,
 * for the worker to be given the next request.
 *
 * What is given is encoded at once: what can't be sent throws a `TypeError` at the caller, and the reply can
 * still be ended. `write()` after the end is an error as on any Writable; a second `end()` or `error()` does
 * nothing. Its `error` event need not be listened to.
 */
export interface Reply<TPartial = any, TFinal = any> extends Writable {
  /**
   * Sends a partial. `null` and `undefined` may be sent, and arrive as `null`. False if it has to wait because the
   * client does not keep up; `drain` comes when nothing waits any more.
   */
  write(partial: TPartial, callback?: (error: Error | null | undefined) => void): boolean;
  write(
    partial: TPartial,
    encoding: BufferEncoding | null | undefined,
    callback?: (error: Error | null | undefined) => void,
  ): boolean;

  /** So that streams may be piped into it, whatever its types. */
  write(partial: never, encoding?: never, callback?: (error: Error | null | undefined) => void): boolean;

  /** Sends the final, `null` if none is given, and ends the reply. */
  end(callback?: () => void): this;
  end(final: TFinal, callback?: () => void): this;
  end(final: TFinal, encoding: BufferEncoding | null | undefined, callback?: () => void): this;
  /** So that streams may be piped into it, whatever its types: `pipe()` ends it with nothing. */
  end(final: never, encoding?: never, callback?: () => void): this;

  /**
   * Ends the reply with an error value. An `Error` travels as `{ message, name, code }`, without its stack;
   * everything else as it is.
   */
  error(value?: unknown): void;

  /**
   * Gives the request back before any part of the reply: the broker gives it to another worker, and never again to one that
   * rejected it. The reason is for the operator of the broker.
   * @throws {Error} if a part was written
   */
  reject(reason?: unknown): void;
  /** Ends the reply with `error`, or with an error value of the code `W_DESTROYED`; nothing if it has ended. */
  destroy(error?: Error): this;

  /** Sends a heartbeat of the worker. Heartbeats are sent automatically; the method exists for code of 0.0.92. */
  heartbeat(): void;

  /**
   * Whether somebody still waits for the reply: it has not ended, and the client has not timed out, given up
   * or gone. What is written to an inactive reply is discarded, but end it all the same.
   */
  active(): boolean;

  /** Whether the reply has ended, by `end()`, `error()` or `destroy()`. */
  readonly ended: boolean;

  /**
   * How many ms are left until the deadline that the client has set, 0 when it has passed; `Infinity` without one. May be given
   * on: `{ deadline: reply }`.
   */
  readonly remaining: number;

  /** Aborts when the reply becomes inactive before it has ended; the reason is an {@link OmdpError}. */
  readonly signal: AbortSignal;
}

// ---------------------------------------------------------------------------------------------- client

export interface ClientConf extends PeerConf, ClientSecurity {
  /**
   * After a loss of the broker, how long to wait before connecting again, in ms.
   * @defaultValue 100
   */
  reconnect?: number;
  /**
   * The longest pause between two attempts to connect, in ms: each one in a row that leads to no broker doubles it.
   * @defaultValue 30000
   */
  reconnectMax?: number;
  /**
   * How many brokers there are behind the name of a host in an endpoint: one, whose addresses are tried in turn, or one at
   * each of its addresses, followed as they change.
   * @defaultValue 'one'
   */
  discover?: 'one' | 'all';
  /**
   * How often names of several brokers are looked up again, in ms; earlier when a broker can't be reached.
   * @defaultValue 30000
   */
  discoverInterval?: number;
  /**
   * What looks up the addresses of a name under `discover: 'all'`.
   * @defaultValue `dns.lookup`
   */
  lookup?: Lookup | null;
  /**
   * What looks up the SRV records of a name, for `tcp+srv://` and the name.
   * @defaultValue `dns.resolveSrv`
   */
  resolveSrv?: ResolveSrv | null;
  /**
   * Whether the `error` event of every stream carries bare values and codes, as in 0.0.92. Without it only streams of
   * requests with callbacks do.
   * @defaultValue false
   */
  errorValues?: boolean;
  /**
   * The schemas of services. The types of their requests are inferred from them. Data of a request that do not match throw a
   * {@link SchemaError}; a reply that does not match ends its request with `W_BAD_REPLY`.
   */
  schemas?: ServiceSchemas | null;
  /**
   * For requests that don't give one: how long to wait without any sign of the reply, in ms. -1 is off.
   * @defaultValue 60000
   */
  timeout?: number;
  /**
   * What the broker speaks. Under MDP requests go one after the other, each when the one before it has ended; giving
   * one up costs the connection, which is made anew. The name is not sent, heartbeats neither; `headers`,
   * `retry` and `failFast` throw.
   * @defaultValue 'omdp'
   */
  protocol?: Protocol;
}

/** When a request that has ended badly is made again by its client; never after a partial has come. */
export interface RetryPolicy {
  /** How many attempts there may be, the first included: 1 to 255. 3 if missing. */
  attempts?: number;
  /**
   * After which ends: its worker or broker was lost, every worker rejected it, the handler replied with an error, or it timed
   * out. `['lost']` if missing.
   */
  on?: readonly ('lost' | 'rejected' | 'error' | 'timeout')[];
  /** The pause before the second attempt, in ms. 100 if missing. */
  delay?: number;
  /** Each further pause is so many times as long: 1 to 1000. 2 if missing. */
  factor?: number;
  /** The longest pause, in ms. 10000 if missing. */
  maxDelay?: number;
  /** By which part a pause may be shorter or longer, at random: 0 to 1. 0.2 if missing. */
  jitter?: number;
}

export interface RequestOptions {
  /**
   * How long to wait without any sign of the reply, in ms: each partial starts it anew. -1 is off; 0 or
   * nothing is the client's `conf.timeout`.
   */
  timeout?: number | null;
  /**
   * How long the request may take in all, in ms, whatever is heard of it; then it ends with `C_TIMEOUT`. 0 ends it at once,
   * `Infinity` and nothing are none. The reply to a request that is being handled stands for what is left of that.
   */
  deadline?: number | { readonly remaining: number } | null;
  /** Ends the request with `C_ABORTED` when it aborts; the worker's `reply.signal` aborts in turn. */
  signal?: AbortSignal | null;
  /** Travels with the request; the handler gets it as `opts.headers`. */
  headers?: RequestHeaders | null;
  /**
   * Which requests go first: 0 to 9, 9 before 0. Requests of one priority go in the order in which they came. Having waited
   * for the broker's `priorityAgeing` counts as much as one level.
   * @defaultValue 0
   */
  priority?: number | null;
  /** The name of the only worker that may have it. It waits while that is busy, and ends with `W_NONE` if it is not there. */
  worker?: string | null;
  /** Requests of one key go to one worker, as long as that is there: 1 to 255 bytes. */
  key?: string | null;
  /**
   * How often the request may start again with another worker, after the one that had it was lost: 0 to 255. Never after a
   * partial has come. Then it ends with `W_LOST`. Or a policy: when the client makes it again, and after which pause. A broker of 0.0.92 never starts it again; under MDP it throws.
   * @defaultValue 0
   */
  retry?: number | RetryPolicy | null;
  /**
   * Whether it ends with `W_NONE` when no worker offers the service, instead of waiting for one. Without effect at a
   * broker of 0.0.92; under MDP it throws.
   * @defaultValue false
   */
  failFast?: boolean | null;
}

/**
 * Called exactly once: `(null, data)` with what the worker gave `reply.end()`, or `(error)` with the very value
 * that it gave `reply.error()`, or with a code of this package, a string.
 */
export type FinalCallback<TFinal = any, TError = any> = (
  error: TError | ErrorCode | null,
  data?: TFinal,
) => void;

export interface ClientEvents extends PeerEvents {
  /** A message that makes no sense came, and was dropped. */
  badMessage: [event: { reason: string }];
  /**
   * The broker has not been reached for a second, and why the last attempt failed; again at growing intervals. Attempts
   * go on. Or the name of brokers could not be looked up.
   */
  unreachable: [event: { endpoint: string; code: string; reason: string }];
  /** Its brokers are at these endpoints from now on: by `setEndpoints()`, or because what is behind a name has changed. */
  endpoints: [endpoints: readonly string[]];
}

/** The types of one service: the data of its requests, what its replies `write()`, and what they `end()` with. */
export interface ServiceTypes {
  request?: unknown;
  partial?: unknown;
  reply?: unknown;
}

/** A client for whose services there are no types. */
export interface AnyServices {
  [service: string]: { request: any; partial: any; reply: any };
}

/** One of a service's types; `any` where there is none. Of a schema, what its side of the client has. */
type TypeOf<TServices, S extends keyof TServices, K extends keyof ServiceTypes> = TServices[S] extends {
  [key in K]: infer T;
}
  ? T extends StandardSchema<infer TInput, infer TOutput>
    ? K extends 'request'
      ? TInput
      : TOutput
    : T
  : any;

/** A name of a service where there are no types for services; nothing where there are. */
type UntypedService<TServices> = string extends keyof TServices ? string : never;

/** The worker of a service that has types. */
export type WorkerOf<
  TServices extends { [S in keyof TServices]: ServiceTypes },
  S extends keyof TServices,
> = Worker<TypeOf<TServices, S, 'request'>, TypeOf<TServices, S, 'partial'>, TypeOf<TServices, S, 'reply'>>;

/** The listener for the requests of a service that has types. */
export type ListenerOf<
  TServices extends { [S in keyof TServices]: ServiceTypes },
  S extends keyof TServices,
> = RequestListener<
  TypeOf<TServices, S, 'request'>,
  TypeOf<TServices, S, 'partial'>,
  TypeOf<TServices, S, 'reply'>
>;

/**
 * Makes requests. Those made before `start()`, or while the broker is away, wait and go out once it is there.
 *
 * A client keeps the process alive while it has requests outstanding, and until a `start()` or `stop()` of it
 * is done.
 *
 * @typeParam TServices - the types of the services, by their names; without it each call may say its own. Type parameters
 * of requests are in the order data, partial, final.
 */
export class Client<
  TServices extends { [S in keyof TServices]: ServiceTypes } = AnyServices,
> extends Peer<ClientEvents> {
  /**
   * @param endpoint - the broker's, or those of several brokers: each request goes to the one that has the fewest of
   *   this client's, among those that live
   * @throws {TypeError | RangeError} for a bad argument, also for an endpoint that is there twice
   */
  constructor(
    endpoint: string | readonly string[],
    conf?: (ClientConf & { schemas?: TServices | null }) | null,
  );

  /** Where its brokers are. Empty until a name of several brokers was looked up. */
  readonly endpoints: readonly string[];

  /**
   * These are its brokers from now on; those that stay keep their connections. May be called at any time. A broker that leaves
   * gets nothing new: requests that have not started go to the others, and the connection ends when the others have ended.
   * @throws {TypeError | RangeError} for a bad argument
   */
  setEndpoints(endpoint: string | readonly string[]): void;

  /**
   * Makes a request, with callbacks.
   *
   * With a callback given, the stream that is returned flows from the start: it emits what arrives from when it
   * is listened to. Without any it is that of {@link Client.requestStream}.
   *
   * (TypeScript can't infer the parameters of a partial callback with two: declare their types.)
   *
   * @param service - 1 to 255 bytes
   * @param partialCb - called with each partial: one that declares exactly one parameter gets the data alone,
   * any other gets `(null, data)`
   * @param finalCb - called once, at the end
   * @throws {TypeError | RangeError} for a bad argument, or for data that can't be sent
   */
  request<S extends keyof TServices & string>(
    service: S,
    data: TypeOf<TServices, S, 'request'>,
    opts: RequestOptions,
  ): RequestStream<TypeOf<TServices, S, 'partial'>, TypeOf<TServices, S, 'reply'>>;
  request<TRequest = any, TPartial = any, TFinal = any>(
    service: UntypedService<TServices>,
    data: TRequest,
    opts: RequestOptions,
  ): RequestStream<TPartial, TFinal>;
  request(
    service: UntypedService<TServices>,
    data?: any,
    partialCb?: ((errorOrData: any, data?: any) => void) | null,
    finalCb?: FinalCallback | null,
    opts?: RequestOptions | null,
  ): RequestStream;
  request<S extends keyof TServices & string>(
    service: S,
    data: TypeOf<TServices, S, 'request'>,
    partialCb?: ((data: TypeOf<TServices, S, 'partial'>) => void) | null,
    finalCb?: FinalCallback<TypeOf<TServices, S, 'reply'>> | null,
    opts?: RequestOptions | null,
  ): RequestStream<TypeOf<TServices, S, 'partial'>, TypeOf<TServices, S, 'reply'>>;
  request<S extends keyof TServices & string>(
    service: S,
    data: TypeOf<TServices, S, 'request'>,
    partialCb: (error: null, data: TypeOf<TServices, S, 'partial'>) => void,
    finalCb?: FinalCallback<TypeOf<TServices, S, 'reply'>> | null,
    opts?: RequestOptions | null,
  ): RequestStream<TypeOf<TServices, S, 'partial'>, TypeOf<TServices, S, 'reply'>>;
  request<TRequest = any, TPartial = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    partialCb?: ((data: TPartial) => void) | null,
    finalCb?: FinalCallback<TFinal> | null,
    opts?: RequestOptions | null,
  ): RequestStream<TPartial, TFinal>;
  request<TRequest = any, TPartial = any, TFinal = any>(
    service: UntypedService<TServices>,
    data: TRequest,
    partialCb: (error: null, data: TPartial) => void,
    finalCb?: FinalCallback<TFinal> | null,
    opts?: RequestOptions | null,
  ): RequestStream<TPartial, TFinal>;

  /**
   * Makes a request whose reply is read as a stream. What arrives before somebody reads is kept.
   * @throws {TypeError | RangeError} for a bad argument, or for data that can't be sent
   */
  requestStream<S extends keyof TServices & string>(
    service: S,
    data: TypeOf<TServices, S, 'request'>,
    opts?: RequestOptions | null,
  ): RequestStream<TypeOf<TServices, S, 'partial'>, TypeOf<TServices, S, 'reply'>>;
  requestStream<TRequest = any, TPartial = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    opts?: RequestOptions | null,
  ): RequestStream<TPartial, TFinal>;

  /**
   * Makes a request and gives the data of its final; partials are passed over.
   *
   * Rejects with an {@link OmdpError}, with a {@link RemoteError} for an error value of the worker's, and with a
   * `TypeError` or `RangeError` for a bad argument or for data that can't be sent.
   */
  call<S extends keyof TServices & string>(
    service: S,
    data: TypeOf<TServices, S, 'request'>,
    opts?: RequestOptions | null,
  ): Promise<TypeOf<TServices, S, 'reply'>>;
  call<TRequest = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    opts?: RequestOptions | null,
  ): Promise<TFinal>;

  /**
   * Makes a request to every worker of a service that is registered when it arrives at the broker, and gives their answers as they
   * come. It ends when all have answered, at a limit, or when the loop is left; workers that have not answered are told then. A
   * worker that is lost, or fails, gives an `error`. When the connection to the broker is lost it throws `B_LOST`.
   * @throws {TypeError | RangeError} for a bad argument
   */
  callAll<S extends keyof TServices & string>(
    service: S,
    data: TypeOf<TServices, S, 'request'>,
    options?: CallAllOptions | null,
  ): AsyncGenerator<Answer<TypeOf<TServices, S, 'reply'>>, void, void>;
  callAll<TRequest = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    options?: CallAllOptions | null,
  ): AsyncGenerator<Answer<TFinal>, void, void>;

  /**
   * The services that have a worker or a request at the broker and that the user may use. With several brokers, those of one of
   * them.
   */
  services(opts?: RequestOptions | null): Promise<ServiceInfo[]>;

  /** One service and its workers; `null` if it has neither a worker nor a request, or the user may not use it. */
  service(service: string, opts?: RequestOptions | null): Promise<ServiceDetails | null>;

  /**
   * Asks the broker whether a worker serves this service, and gives the round trip in ms. Rejects with `W_NONE` if none does. No
   * request is made to the workers.
   */
  ping(service: string, opts?: RequestOptions | null): Promise<number>;

  /**
   * Follows which workers come and go, from all that are there now on. It asks the broker each second, or at another interval.
   * Ends when the loop is left, when `signal` aborts, or when the client stops.
   * @throws {TypeError | RangeError} for a bad argument, or for a client of several brokers
   */
  watchServices(options?: WatchOptions | null): AsyncGenerator<ServiceChange, void, void>;

  /** The state of its requests. */
  stats(): Promise<PeerStats>;

  /**
   * Tells the broker that this client lives or, with the `rid` of a request, tells the worker that its reply is still
   * wanted. Both happen automatically; the method exists for code of 0.0.92.
   */
  heartbeat(rid?: string | number | null): void;
}

export interface CallAllOptions {
  /**
   * How long to wait for all answers, in ms; -1 is no limit. Then the iteration ends with those that have come.
   * @defaultValue 60000
   */
  timeout?: number;
  /**
   * How long to wait for the next answer after one has come, in ms; -1 is no limit.
   * @defaultValue -1
   */
  stall?: number;
  /** After how many answers to end. */
  max?: number;
  /** Makes the iteration throw `C_ABORTED` when it aborts. */
  signal?: AbortSignal;
  /** See {@link RequestOptions.headers}. */
  headers?: RequestHeaders;
}

/** What one worker answered to {@link Client.callAll}, or why it did not: an {@link OmdpError} or a {@link RemoteError}. */
export type Answer<TFinal = any> =
  | { worker: string; value: TFinal; error?: undefined }
  | { worker: string; value?: undefined; error: OmdpError | RemoteError };

/** What a broker tells of a service. Times are in ms. */
export interface ServiceInfo {
  name: string;
  /** Of a name with a version, such as `orders@2.1.0`: the name without it, and the version. */
  base?: string;
  version?: string;
  /** How many workers are registered for it. */
  workers: number;
  queued: number;
  running: number;
  /** How many requests have come, and how many ended with an error value or a code. */
  requests: number;
  errors: number;
  /**
   * The latest error: a code, or the beginning of what the worker sent, up to 256 bytes. The latter is missing for users
   * who may not call `mmi.metrics`.
   */
  lastError: { code?: string; value?: string; at: Date } | null;
  /** How long workers had requests. */
  time: { mean: number; p50: number; p90: number; p95: number; p99: number; max: number };
  /** When the first of its present workers came. */
  started: Date | null;
}

/** {@link ServiceInfo}, with its workers. */
export interface ServiceDetails extends ServiceInfo {
  instances: WorkerInfo[];
}

/** What a broker tells of a worker. */
export interface WorkerInfo {
  name: string;
  description?: string;
  metadata?: any;
  dialect: Protocol;
  running: number;
  /** How many requests have ended, and how many of them with an error value. */
  ended: number;
  failed: number;
  started: Date;
  lastHeard: Date;
}

export interface WatchOptions {
  /**
   * How often the broker is asked, in ms: 10 and up.
   * @defaultValue 1000
   */
  interval?: number;
  /** Ends the iteration. */
  signal?: AbortSignal;
}

/** A worker came, or has gone. `workers` is how many the service has then. */
export type ServiceChange =
  | { type: 'ready'; service: string; worker: string; workers: number }
  /** The reason is that of the broker's event `workerGone`, or `missed` if it was not heard. */
  | { type: 'gone'; service: string; worker: string; workers: number; reason: string };

/** What travels in a Readable: anything but `null`, which means its end. */
type Part<TPartial, TFinal> = NonNullable<TPartial | TFinal>;

/**
 * The reply to a request, an objectMode `Readable`: each partial and, last, the data of the final. A partial or
 * final that is `null` can't travel in a Readable and reaches the callbacks only.
 *
 * Its `error` event carries a {@link RemoteError} or an {@link OmdpError}; of a request with callbacks, or of a client with
 * `errorValues`, the worker's very error value or a code, a string. Nothing is thrown when nobody listens. When something of
 * the reply is still unread, the error comes after it. `destroy()`, or leaving a `for await` loop, ends the request with
 * `C_ABORTED`.
 */
export interface RequestStream<TPartial = any, TFinal = any> extends Readable {
  /** The id of the request, as {@link Client.heartbeat} takes it. */
  readonly rid: string;

  /** Tells the worker that the reply is still wanted. It happens automatically. */
  heartbeat(): void;

  read(size?: number): Part<TPartial, TFinal> | null;
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Part<TPartial, TFinal>>;

  on(event: 'data', listener: (part: Part<TPartial, TFinal>) => void): this;
  on(event: 'error', listener: (error: any) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once(event: 'data', listener: (part: Part<TPartial, TFinal>) => void): this;
  once(event: 'error', listener: (error: any) => void): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  addListener(event: 'data', listener: (part: Part<TPartial, TFinal>) => void): this;
  addListener(event: 'error', listener: (error: any) => void): this;
  addListener(event: string | symbol, listener: (...args: any[]) => void): this;
}

// --------------------------------------------------------------------------------------------- library

/** The version of the libzmq that is built in, such as `'4.3.5'`. */
export const version: string;

/** What that libzmq was built with. */
export const capability: {
  readonly ipc: boolean;
  readonly pgm: boolean;
  readonly tipc: boolean;
  readonly norm: boolean;
  readonly curve: boolean;
  readonly gssapi: boolean;
  readonly draft: boolean;
};

// Without this line TypeScript exports the rest too.
export type { Peer };
