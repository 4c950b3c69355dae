// biome-ignore-all lint/suspicious/noExplicitAny: where the user gives no type, JavaScript decides

/// <reference types="node" />

import type { LookupAddress } from 'node:dns';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';

// ---------------------------------------------------------------------------------------------- values

/**
 * The received form of a `Buffer`, a typed array, a `DataView` or an `ArrayBuffer` that the other side gave
 * as a whole data, partial, final or error value: the same bytes.
 *
 * Any other value is received as its JSON form; `undefined`, functions and symbols are received as `null`. A
 * value without a JSON form (a cycle, a `bigint`) throws a `TypeError` at the caller, and nothing is sent.
 */
export type Bytes = Buffer;

/** Small values about a request, for its handler. Tracing uses `traceparent`. */
export interface RequestHeaders {
  [name: string]: string | number | boolean | undefined;
}

// ---------------------------------------------------------------------------------------------- errors

// generated: error codes
/**
 * The codes of failures that this package itself finds, in contrast to the error values of workers. docs/errors.md
 * describes the remedy for each.
 *
 * - `C_TIMEOUT`: the reply made no progress within the timeout
 * - `C_ABORTED`: the request was aborted
 * - `W_LOST`: the worker was lost, or stopped, while it held the request
 * - `W_NONE`: no worker offers the service
 * - `B_QUEUE_FULL`: the broker's queue for the service is full
 * - `B_LOST`: the broker was lost while it held the request
 * - `B_DENIED`: the broker denied the request
 * - `C_SLOW`: the client did not read its messages
 * - `W_BAD_REPLY`: the reply is not valid JSON
 * - `C_NAME_TAKEN`: another peer of the broker has the same name
 * - `C_TOO_LARGE`: the request is too large for its receiver
 * - `W_TOO_LARGE`: the reply is too large for its receiver
 * - `W_TIMEOUT`: the handler took longer than its worker allows
 * - `W_NO_STREAMS`: the worker or its broker does not support streams as data of a request
 * - `W_REJECTED`: every worker of the service rejected the request
 * - `C_STOPPED`: the client was stopped
 * - `B_TOO_LARGE`: the snapshot is too large
 * - `B_REFUSED`: the broker does not admit this peer
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
 * A failure that this package itself has found: on promises, in `for await` loops and on the `error` event of
 * streams. Callbacks get only its `code`, a string.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see below
export class OmdpError extends Error {
  constructor(
    code: ErrorCode | (string & {}),
    options?: { message?: string; cause?: unknown } & RequestContext,
  );
  /** A stable code; the message may change. */
  readonly code: ErrorCode | (string & {});
  /**
   * For `C_ABORTED` the reason of the signal; for `C_STOPPED` the error of the start, if the client could not
   * start.
   */
  readonly cause?: unknown;
}

export interface OmdpError extends RequestContext {}

/** Context of a failed request; a member is missing if it is not known. */
export interface RequestContext {
  /** The name of the service. */
  readonly service?: string;
  /** The id of the request. */
  readonly rid?: string;
  /** The number of the latest attempt, from 1. At a client, missing if no worker is known to have had the request. */
  readonly attempt?: number;
  /** Milliseconds from the creation of the request to the failure; at a worker, from its arrival. */
  readonly elapsed?: number;
  /** The endpoint of the broker; only of a peer with one broker. */
  readonly endpoint?: string;
  /**
   * The name of the worker that had the request, for a `RemoteError`, `W_LOST` or `C_TIMEOUT`, if the broker
   * reported it.
   */
  readonly worker?: string;
}

/**
 * An error value that a worker gave to `reply.error()`: on promises, in `for await` loops and on the `error`
 * event of streams. Callbacks get the value itself.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see below
export class RemoteError<TValue = any> extends Error {
  constructor(value: TValue, context?: RequestContext);
  /** The error value, unchanged. An `Error` arrives as `{ message, name, code }`. */
  readonly value: TValue;
  /**
   * `value.code`, if it is a string. Workers of this package make some error values themselves, with the
   * codes `W_NO_HANDLER` (no listener for `request`), `W_DESTROYED` (the reply was destroyed before it ended)
   * and `C_BAD_REQUEST` (the data of the request are not JSON, or its schema refuses them).
   */
  readonly code?: string;
}

// biome-ignore lint/correctness/noUnusedVariables: both declarations have the same parameters
export interface RemoteError<TValue = any> extends RequestContext {}

// --------------------------------------------------------------------------------------- what all share

/**
 * The error of a peer that could not start. Its `code` is from the operating system or ZeroMQ, such as
 * `EADDRINUSE`.
 */
export interface StartError extends Error {
  code: string;
}

export interface StopOptions {
  /**
   * The maximum time to wait, in ms, for the running handlers of a worker, for the requests that run at the
   * workers of a broker, or for the drain of a client. 0 does not wait, -1 has no limit. A second `stop()`
   * can shorten the time of the first. The default of a broker is 0.
   * @defaultValue -1
   */
  timeout?: number;
  /**
   * Brokers only: whether every request ends with `B_LOST` at once. Otherwise the broker leaves its requests
   * to the next broker, as at its death, and no request is lost.
   * @defaultValue false
   */
  discard?: boolean;
  /**
   * Clients only: whether to let outstanding requests end first. New requests are refused meanwhile.
   * @defaultValue false
   */
  drain?: boolean;
}

/** The reason for the end of a connection. */
export type DisconnectReason =
  | 'connection lost'
  | 'heartbeat lost'
  | 'disconnected by the broker'
  | 'request given up'
  | 'event loop blocked'
  | 'name taken'
  | 'stopped'
  | 'endpoint removed';

/**
 * Events that brokers, workers and clients have in common. `start` and `stop` are emitted once for each
 * transition.
 */
export interface PeerEvents {
  /**
   * The peer has started: a broker is bound; a worker or client has opened its sockets and connects by
   * itself.
   */
  start: [];
  /** The peer has stopped and released all its resources. */
  stop: [];
  /**
   * A connection to `endpoint` is open, one of several if the peer has several brokers. For a broker: it is
   * bound there.
   */
  connect: [endpoint: string];
  /**
   * The connection to `endpoint` has ended. It is opened again by itself, unless the peer was stopped or the
   * endpoint was removed. For a broker: it is no longer bound there.
   */
  disconnect: [endpoint: string, reason: DisconnectReason];
  /**
   * The peer could not start (only if `start()` got no callback), the broker has refused it, or a `request`
   * listener of a worker has thrown or rejected. Without a listener nothing is thrown: the promise of
   * `start()` rejects, and the client gets the error of the handler, in any case.
   */
  error: [error: any];
}

/**
 * An EventEmitter with typed events. `Peer` without a parameter stands for a broker, worker or client.
 *
 * Node's types for the results of `events.once()` and `events.on()` are arrays; {@link WorkerEvents}, {@link ClientEvents} and
 * {@link BrokerEvents} have their element types: `const [data, reply] = (await once(worker, 'request')) as WorkerEvents['request']`.
 */
// Not `EventEmitter<Events>`: it accepts any event, and a client would not be a Peer.
declare class Peer<
  Events extends PeerEvents & { [E in keyof Events]: any[] } = PeerEvents,
> extends EventEmitter {
  /** The identity on the wire: `conf.name`, or a random name. */
  readonly name: string;

  /** The options in effect, with defaults and without security options. */
  readonly conf: Readonly<Record<string, any>>;

  /**
   * Starts the peer. Another call while it is starting or started has no further effect, and the same
   * outcome. Starts and stops are executed one after the other, in the order of the calls.
   *
   * The promise rejects with a {@link StartError}. If `error` has a listener, it gets the error, too, and the
   * rejection need not be handled.
   */
  start(): Promise<void>;
  /**
   * Starts the peer, and calls `callback()` or `callback(error)`.
   * @throws {TypeError} if `callback` is not a function
   */
  start(callback: (error?: StartError) => void): void;
  start(callback?: ((error?: StartError) => void) | null): Promise<void> | undefined;

  /** Stops the peer, which can be started again. Resolves at once if it is not running. */
  stop(options?: StopOptions | null): Promise<void>;
  /** Stops the peer, and calls `callback()`. */
  stop(callback: () => void): void;
  stop(options: StopOptions | null | undefined, callback: () => void): void;

  /** Calls `stop()`, so that `await using` stops the peer at the end of the block. */
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
 * A dialect: the protocol of zmq-omdp, MDP 0.1 (RFC 7), MDP 0.2 (RFC 18), MDP 0.2 as majortomo sends it, or
 * the protocol of PIGATO.
 */
export type Protocol = 'omdp' | 'mdp/0.1' | 'mdp/0.2' | 'mdp/0.2-majortomo' | 'pigato';

/**
 * Looks up all addresses of a host, with a callback or a promise: `dns.lookup`, `dns.promises.lookup`, or a
 * compatible function. The result may also be an array of addresses as strings, such as that of
 * `dns.promises.resolve4`.
 */
export type Lookup = (
  hostname: string,
  options: { all: true },
  callback: (error: Error | null, addresses: string | (string | LookupAddress)[], family?: number) => void,
) => unknown;

/** The endpoint of a broker in an SRV record, as in the records of `dns.resolveSrv()`. */
type SrvTarget = { name: string; port: number; priority?: number };

/** Looks up SRV records: `dns.resolveSrv`, `dns.promises.resolveSrv`, or a compatible function. */
export type ResolveSrv = (
  name: string,
  callback: (error: Error | null, records: SrvTarget[]) => void,
) => unknown;

/**
 * Options that brokers, workers and clients have in common. An unknown option, a wrong type or a value out of
 * range throws.
 */
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
   * The largest body that is sent or accepted, in bytes: 65536 and up. Giving a larger one throws a
   * `RangeError`; a larger one that would arrive ends its request with `C_TOO_LARGE` or `W_TOO_LARGE`.
   * @defaultValue 268435456
   */
  maxMessageSize?: number;
  /**
   * The identity on the wire: 1 to 255 bytes, not beginning with NUL. It must be unique among the peers of a
   * broker.
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

/** The credentials of a worker or client, with the option names of zeromq.js. For `tcp` and `ipc`. */
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

/** Options that workers and clients have in common. */
export interface ConnectingPeerConf extends PeerConf, ClientSecurity {
  /**
   * The first pause after the loss of the broker before connecting again, in ms. A connection that was in
   * use and breaks is opened again after a tenth of it.
   * @defaultValue 100
   */
  reconnect?: number;
  /**
   * The longest pause between two attempts to connect, in ms: each consecutive attempt that reaches no broker
   * doubles the pause.
   * @defaultValue 30000
   */
  reconnectMax?: number;
  /**
   * How long a lost broker may be absent, in ms, before its requests are given up: those that may have run end with
   * `B_LOST`, and running handlers are cancelled. At least `liveness` times `heartbeat`.
   * @defaultValue 60000
   */
  brokerGrace?: number;
  /**
   * The number of brokers behind a host name in an endpoint: one, whose addresses are tried in turn, or one
   * at each of its addresses, followed as they change.
   * @defaultValue 'one'
   */
  discover?: 'one' | 'all';
  /**
   * The interval in ms at which names of several brokers are looked up again; earlier if a broker is
   * unreachable.
   * @defaultValue 30000
   */
  discoverInterval?: number;
  /**
   * The function that looks up the addresses of a name under `discover: 'all'`.
   * @defaultValue `dns.lookup`
   */
  lookup?: Lookup | null;
  /**
   * The function that looks up the SRV records of a name in `tcp+srv://name`.
   * @defaultValue `dns.resolveSrv`
   */
  resolveSrv?: ResolveSrv | null;
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
   * The user of peers over `inproc`, which are in the process already: 1 to 255 bytes without control characters. The rules
   * apply to it as to any user. Without this option a broker with security binds no `inproc` endpoint.
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

/** The result of a schema for a value. */
export type SchemaResult<TOutput> =
  | { readonly value: TOutput; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** A violation of a schema. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The schemas of a service. A sender checks data, and sends them unchanged; a receiver gets the output of the
 * schema. A schema must not be asynchronous.
 */
export interface ServiceSchema {
  /** The schema of the data of requests. */
  request?: StandardSchema<any, any>;
  /** The schema of partials, the values of `write()`. */
  partial?: StandardSchema<any, any>;
  /** The schema of finals, the values of `end()`; a missing value is `null`. */
  reply?: StandardSchema<any, any>;
}

/** The schemas of services, by their names. */
export interface ServiceSchemas {
  [service: string]: ServiceSchema;
}

/** The error for data that a schema refuses: a `TypeError` with this code. */
export interface SchemaError extends TypeError {
  readonly code: 'ERR_OMDP_SCHEMA';
  readonly issues: readonly SchemaIssue[];
}

// ---------------------------------------------------------------------------------------------- broker

export interface BrokerConf extends PeerConf, ServerSecurity {
  /**
   * Which of the versions that satisfy the range of a request may get it: the highest, or all of them.
   * @defaultValue 'highest'
   */
  versions?: 'highest' | 'all';
  /**
   * The time in ms after which a waiting request is as urgent as a new one of the next priority.
   * @defaultValue 10000
   */
  priorityAgeing?: number;
  /**
   * Policies and rates of services, by name or by a pattern with `*`. They take precedence over those of
   * workers.
   */
  services?: Record<string, ServicePolicy> | null;
  /**
   * Maximum duration of the handshake of a connection, in ms; then the connection is closed.
   * @defaultValue 10000
   */
  handshakeInterval?: number;
  /**
   * The dialects that the broker accepts; messages of others are dropped. Each peer is answered in its own
   * dialect.
   * @defaultValue all of them
   */
  dialects?: readonly Protocol[];
  /**
   * How long a request of an MDP client waits for a worker, in ms, because MDP has no timeouts; -1 means no
   * limit. A request that a worker has does not expire.
   * @defaultValue 60000
   */
  expiry?: number;
  /**
   * Maximum number of requests that wait for one service: 0 and up, or -1 for no limit. Further requests end
   * with `B_QUEUE_FULL`; a request that a worker can take at once does not wait.
   * @defaultValue 262144
   */
  maxQueue?: number;
  /**
   * Maximum size of the requests that wait for one service, data and options, in bytes: 0 and up, or -1 for
   * no limit.
   * @defaultValue 268435456
   */
  maxQueueBytes?: number;
  /**
   * Maximum number of waiting requests in total: 0 and up, or -1 for no limit.
   * @defaultValue 1048576
   */
  maxTotalQueue?: number;
  /**
   * Maximum size of the waiting requests in total, in bytes: 0 and up, or -1 for no limit.
   * @defaultValue 1073741824
   */
  maxTotalQueueBytes?: number;
  /**
   * Maximum number of bytes that the broker keeps for all peers: requests with their ids, names, options and
   * bodies, waiting or running, and all other state of peers. 0 and up, or -1 for no limit.
   * @defaultValue 536870912
   */
  maxHeld?: number;
  /**
   * Maximum number of bytes that the broker keeps for all peers of one user: 0 and up, or -1 for no limit.
   * @defaultValue 402653184
   */
  maxHeldPerUser?: number;
  /**
   * Maximum number of bytes that the broker keeps for all peers of one address: 0 and up, or -1 for no limit.
   * Peers over ipc and inproc have no address.
   * @defaultValue 469762048
   */
  maxHeldPerAddress?: number;
  /**
   * Maximum number of bytes that the broker keeps for one peer: 0 and up, or -1 for no limit. A peer that
   * ignores refusals is disconnected, each time for longer.
   * @defaultValue 268435456
   */
  maxHeldPerPeer?: number;
  /**
   * After the end of a `tcp` connection, how long its client or worker may take to reconnect before the
   * broker gives it up, with its requests, in ms. Over `ipc` and `inproc` the maximum is 250 ms. A worker has
   * more time after a reset or silence.
   * @defaultValue 1000
   */
  reconnectGrace?: number;
  /**
   * How long an MDP worker with a request may be silent, in ms: many send no heartbeats while they work. A
   * broken connection is detected at once in any case.
   * @defaultValue 900000
   */
  busyTimeout?: number;
  /**
   * Maximum number of connections; -1 means no limit.
   * @defaultValue 16384
   */
  maxConnections?: number;
  /**
   * Maximum number of connections of one address; -1 means no limit.
   * @defaultValue 8192
   */
  maxConnectionsPerAddress?: number;
  /**
   * Maximum number of connections of one user; -1 means no limit.
   * @defaultValue 8192
   */
  maxConnectionsPerUser?: number;
  /**
   * How long a connection may be silent after its handshake before it is closed, in ms; -1 means no limit.
   * @defaultValue 60000
   */
  silenceInterval?: number;
  /**
   * Maximum number of bytes that wait for a peer that does not read them, 65536 and up. A peer beyond the
   * limit counts as lost: it is disconnected, and its requests end.
   * @defaultValue 67108864
   */
  maxPeerBytes?: number;
  /** The mode of the socket file of an ipc endpoint, as in `fs.chmod()`. The system's default if missing. */
  ipcMode?: number;
  /**
   * Whether the event `requestEnded` is emitted for requests that end.
   * @defaultValue false
   */
  logRequests?: boolean;
  /**
   * Maximum number of services with separate numbers in `stats()` and in metrics, 0 to 1000000; those of the
   * others are summed.
   * @defaultValue 1000
   */
  maxMeasuredServices?: number;
  /**
   * How long the broker's thread polls for the next message before it sleeps, in µs: 0 to 1000000. At low
   * traffic this saves the wake-up of a thread for a single request, at the price of processor time; under
   * load it has no effect. `'auto'` polls while messages follow each other closely, for at most a tenth of
   * the time unless requests follow each other without a pause, and never in a process with one core.
   * @defaultValue 'auto'
   */
  spin?: number | 'auto';
}

/** The reason for the loss of a worker at the broker. */
export type WorkerGoneReason =
  | 'goodbye'
  | 'connection lost'
  | 'heartbeat lost'
  | 'protocol error'
  | 'replaced'
  | 'broker stopped'
  | 'denied'
  | 'too slow'
  | 'over its limit';

/** The reason for the loss of a client at the broker. */
export type ClientGoneReason = Exclude<WorkerGoneReason, 'goodbye' | 'protocol error'>;

/**
 * Events for operators. Names and identities that are not valid UTF-8 are converted into a readable form. The `address` of
 * an event is that of the peer, with its port; peers over ipc and inproc have no address.
 */
export interface BrokerEvents extends PeerEvents {
  /** A worker has registered for `service`. */
  workerReady: [event: { worker: string; service: string; address?: string }];
  /** A worker has rejected a request, which goes to another one. At most some hundred times a second. */
  requestRejected: [event: { service: string; worker: string; reason: any; address?: string }];
  /** A worker has left or was lost; `lost` is the number of requests that it had. */
  workerGone: [
    event: { worker: string; service: string; reason: WorkerGoneReason; lost: number; address?: string },
  ];
  /**
   * A client was lost: it was silent, did not read, or its connection broke while it had requests. `lost` is the number
   * of cancelled requests.
   */
  clientGone: [event: { client: string; reason: ClientGoneReason; lost: number; address?: string }];
  /** A request has timed out; `running` is true if a worker had it. */
  requestExpired: [event: { service: string; running: boolean }];
  /**
   * A handshake has failed, or the broker has closed a connection. Members about the peer are missing if they
   * are not known.
   */
  peerRefused: [
    event: {
      reason: string;
      address?: string;
      mechanism?: 'curve' | 'plain';
      publicKey?: string;
      username?: string;
      /** The number of suppressed events since the last one: there are at most ten a second. */
      missed?: number;
    },
  ];
  /** The process has no descriptor left for another connection. At most once a second. */
  descriptorsExhausted: [event: { connections: number }];
  /**
   * A peer has requested an action that its user may not perform: a worker was disconnected, or a request
   * ended with `B_DENIED`.
   */
  denied: [
    event: { peer: string; user: string; action: 'serve' | 'call'; service: string; address?: string },
  ];
  /**
   * A request was refused because of a limit. Emitted when a queue becomes full, and again after it was half
   * empty, but not for each request. `total` means that the limit and the numbers are those of all queues
   * together.
   */
  queueFull: [event: { service: string; queued: number; queuedBytes: number; total: boolean }];
  /**
   * The broker has refused something because it would exceed the limit of bytes kept for a `peer`, a `user`,
   * an `address` or in `total`: `heldBytes` of `limit` were kept. At most ten times a second.
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
  /** An invalid message was dropped. */
  badMessage: [event: { peer: string; reason: string; address?: string }];
  /** A request has ended. Only with the option `logRequests`. */
  requestEnded: [event: EndedRequest];
}

/** A request that has ended, from the broker's view. Times are in ms. */
export interface EndedRequest {
  /** The client's id of the request. */
  rid: string;
  service: string;
  client: string;
  /** The last worker that had the request, if any. */
  worker: string | null;
  /** The number of the attempt; 0 if the request was refused. */
  attempt: number;
  /** From the arrival of the request to its dispatch to that worker. */
  queue: number;
  /** From the dispatch to the end; null without a worker. */
  work: number | null;
  /** `'ok'`, `'error'` for an error value of the worker, or a code. */
  outcome: string;
  /** The number of ended requests without an event since the previous event: see the option `logRequests`. */
  omitted: number;
}

/** Counters and durations of the requests for a service, since the start of the broker. */
export interface ServiceNumbers {
  readonly counters: {
    /** All received requests, including refused ones. */
    readonly requests: number;
    readonly replies: number;
    readonly failures: number;
    readonly partials: number;
    readonly errors: { readonly [code: string]: number };
    readonly cancelled: number;
    readonly retried: number;
    /** How often workers have rejected requests. */
    readonly rejected: number;
    /** Bytes of the data and options of requests. */
    readonly bytesIn: number;
    /** Bytes of the partials and finals of replies. */
    readonly bytesOut: number;
  };
  /** Durations of ended requests: until a worker had them, at the worker, and in total. */
  readonly latency: { readonly queue: Latency; readonly work: Latency; readonly total: Latency };
}

/**
 * A histogram of durations, in ms. Percentiles are accurate to an eighth. To merge the histograms of several
 * brokers, add the counts of their buckets.
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
  /** Services that have a worker or a waiting request. An `idle` worker could start a request now. */
  readonly services: readonly (ServiceNumbers & {
    readonly name: string;
    /**
     * Whether its numbers are kept when it has no worker: a worker has served it, and it is among the first
     * `maxMeasuredServices`.
     */
    readonly named: boolean;
    readonly workers: number;
    readonly idle: number;
    readonly queued: number;
    readonly queuedBytes: number;
    /** How long the first request of the queue has waited, in ms. */
    readonly oldest: number;
    readonly running: number;
  })[];
  /** The numbers of services that were served before and have no worker or request now. */
  readonly absentServices: readonly (ServiceNumbers & { readonly name: string })[];
  /**
   * The summed numbers of all other services. The state is that of services that exist now and are not in
   * `services`.
   */
  readonly otherServices: ServiceNumbers & {
    readonly workers: number;
    readonly idle: number;
    readonly queued: number;
    readonly queuedBytes: number;
    readonly oldest: number;
    readonly running: number;
  };
  readonly workers: readonly {
    readonly name: string;
    readonly service: string;
    readonly dialect: Protocol;
    readonly running: number;
    /** For how long it has had the first of its requests, in ms; 0 without one. */
    readonly oldest: number;
    /** The number of requests that it has answered, and how many of them with an error value or a code. */
    readonly ended: number;
    readonly failed: number;
    /** The number of requests that it has rejected. */
    readonly rejected: number;
    /** The address of its connection, with the port; missing over ipc and inproc. */
    readonly address?: string;
    /** How long it has been registered, and how long it has been silent, in ms. */
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
  /** Requests that have not ended: `queued` and `running` ones. */
  readonly requests: number;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly running: number;
  /** The bytes kept for peers, as `maxHeld` counts them. */
  readonly heldBytes: number;
  /** The number of present peers and of received messages, by dialect. */
  readonly dialects: Readonly<
    Record<Protocol, { readonly workers: number; readonly clients: number; readonly messages: number }>
  >;
  /** Counters since the start of the broker. */
  readonly counters: {
    readonly requests: number;
    /** Requests that ended with a final. */
    readonly replies: number;
    /** Requests that ended with an error value. */
    readonly failures: number;
    readonly partials: number;
    /** Requests that ended with a code of this package, by code. */
    readonly errors: { readonly [code: string]: number };
    readonly expired: number;
    readonly cancelled: number;
    /** Second and later attempts. */
    readonly retried: number;
    /** How often workers have rejected requests. */
    readonly rejected: number;
    /** Requests refused because of a limit of queues. */
    readonly refused: number;
    readonly badMessages: number;
    readonly slowPeers: number;
    /** Refusals because a limit of kept bytes would have been exceeded. */
    readonly overLimit: number;
  };
  /** The size of each table. Without peers and requests all are empty. */
  readonly tables: { readonly [table: string]: number };
  readonly refusals: Refusals;
}

/** A snapshot of a worker or client. */
export interface PeerStats {
  /** Whether a broker is connected. */
  readonly connected: boolean;
  /** Requests that have not ended. */
  readonly outstanding: number;
  /** Worker: requests that the handler has not got yet. Client: requests that wait for a broker. */
  readonly queued: number;
  /** Worker: requests that the handler has. Client: requests that a broker has. */
  readonly running: number;
  /** Counters since the creation of the peer. */
  readonly counters: {
    /** Worker: requests that the handler has got. Client: requests that were made. */
    readonly requests: number;
    /** Requests that ended with a final. */
    readonly replies: number;
    /** Requests that ended with an error value. */
    readonly failures: number;
    readonly partials: number;
    /** Requests that ended with a code of this package, by code. Worker: cancelled and rejected requests. */
    readonly errors: { readonly [code: string]: number };
    /**
     * Worker: requests that had an earlier attempt. Client: further attempts of retry policies; those of a number
     * `retry` are started by the broker.
     */
    readonly retried: number;
    /** Bytes of received data. Worker: of requests. Client: of replies. */
    readonly bytesIn: number;
    /** Bytes of data sent. */
    readonly bytesOut: number;
  };
  /**
   * Durations of ended requests. Worker: from the call of the handler to the end of the reply. Client: from
   * the call to the end of the request.
   */
  readonly latency: Latency;
}

/**
 * Passes requests of clients to the workers of their services. A separate thread does this, so a busy
 * JavaScript thread does not delay it.
 *
 * A started broker keeps the process alive until it has stopped.
 */
export class Broker extends Peer<BrokerEvents> {
  /**
   * @param endpoint - the endpoint to bind: `tcp://127.0.0.1:5555`, `tcp://*:*`, `ipc:///run/omdp`,
   * `inproc://name`, or an array of endpoints
   * @throws {TypeError | RangeError} for an invalid option. `start()` reports an endpoint that is malformed
   * or in use.
   */
  constructor(endpoint: string | readonly string[], conf?: BrokerConf | null);

  /** The bound endpoints, with the ports that wildcards got. Empty while the broker is not running. */
  readonly endpoints: readonly string[];

  /**
   * Replaces all rules, at any time, of a broker with `curveServer` or `plainServer`. Peers that the new
   * rules would not admit, or that were admitted by a callback, are disconnected; they reconnect by
   * themselves and are checked again.
   * @throws {TypeError | RangeError} for invalid rules; the present rules remain in effect
   */
  allow(rules: SecurityRules): void;

  /** The counters of refusals. */
  readonly refusals: Refusals;

  /** A snapshot: the state and the numbers since the start; all zero while the broker is not running. */
  stats(): Promise<BrokerStats>;
}

// ---------------------------------------------------------------------------------------------- worker

// generated: balancing policies
/** A policy by which a service chooses among its workers. docs/services.md describes each. */
export type Balance = 'longest-idle' | 'least-loaded' | 'random' | 'weighted';
// end of balancing policies

/** A maximum number of starts in any interval. */
export interface Rate {
  /** The maximum number of starts: 1 to 1000000. */
  max: number;
  /** The interval in ms, 1 and up. */
  interval: number;
}

/** The broker's policy of a service. */
export interface ServicePolicy {
  balance?: Balance;
  rate?: Rate | null;
}

export interface WorkerConf extends ConnectingPeerConf {
  /**
   * The version of the service, for instance `'2.1.0'`: the worker registers as `service@version`, and gets
   * the requests for ranges that it satisfies.
   */
  version?: string | null;
  /**
   * Whether the service is a pattern: the worker then serves all names with its prefix. The last character of
   * a pattern is `*`, and it has no other `*`. Without this option `*` is an ordinary character.
   * @defaultValue false
   */
  pattern?: boolean;
  /**
   * The policy by which the service chooses among its workers. The broker's option `services` takes
   * precedence, and of several workers the latest registration counts.
   * @defaultValue the broker's, or `'longest-idle'`
   */
  balance?: Balance | null;
  /**
   * The share of requests that the worker gets under the policy `'weighted'`: 1 to 1000.
   * @defaultValue 1
   */
  weight?: number;
  /**
   * How many requests of the service may start in an interval, over all its workers. Further requests wait.
   */
  rate?: Rate | null;
  /**
   * How many requests may run at the same time: 1 and up, or -1 for no limit.
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
  /** A description of the worker, for the broker's directory: 1 to 512 bytes. See {@link Client.service}. */
  description?: string;
  /** Metadata of the worker, for the broker's directory: at most 4096 bytes as JSON. */
  metadata?: Readonly<Record<string, unknown>>;
  /**
   * How long the event loop may be blocked, in ms, before the worker counts as lost: the requests of its
   * handlers are lost, or go to another worker by `retry`. The worker returns when the event loop runs again.
   * -1 means no limit.
   * @defaultValue -1
   */
  maxBlocked?: number;
  /**
   * How long a handler may take for a request, in ms. Then the request ends with `W_TIMEOUT`, `reply.signal`
   * aborts, and the next request gets its place. -1 means no limit.
   * @defaultValue -1
   */
  maxRunning?: number;
  /**
   * The dialect of the broker. Under MDP `concurrency` must be 1, the name is not sent, and an error value is
   * sent as a final of the frame `OMDP-ERROR` and the value; under `'mdp/0.1'` partials are sent together
   * with the final.
   * @defaultValue 'omdp'
   */
  protocol?: Protocol;
  /**
   * The schemas of the service, from which the types of its requests are inferred. A request that does not
   * match gets an error value with the code `C_BAD_REQUEST`; `write()` and `end()` throw a {@link
   * SchemaError}.
   */
  schema?: ServiceSchema | null;
  /**
   * The schemas of each service of a worker of several services, by name. A service without a schema accepts
   * any data.
   */
  schemas?: ServiceSchemas | null;
}

/** The options of the request that its worker gets. Frozen, because requests share the object. */
export interface ReceivedOptions {
  /** The timeout in ms, -1 for none. Missing from a broker of 0.0.92, which does not pass options on. */
  readonly timeout?: number;
  /** The deadline in ms, as the client gave it. The remaining time is `reply.remaining`. */
  readonly deadline?: number;
  readonly headers?: Readonly<RequestHeaders>;
  /** 1, or more if earlier attempts of the request failed; see {@link RequestOptions.retry}. */
  readonly attempt: number;
  /**
   * The requested name, if it differs from the name of the worker's service: for a pattern, or for a version
   * that was requested by a range.
   */
  readonly service?: string;
  /** The user of the client, determined by a broker with authentication; a client cannot choose it. */
  readonly user?: string;
  /** The metadata that the broker's `authenticate` returned for the user. */
  readonly userMetadata?: any;
  readonly [option: string]: unknown;
}

/**
 * Handles a request. It may be async; if it throws or rejects before the reply has ended, the client gets the
 * error as `{ message, name, code }`.
 */
export type RequestListener<TRequest = any, TPartial = any, TFinal = any> = (
  data: TRequest,
  reply: Reply<TPartial, TFinal>,
  opts: ReceivedOptions,
) => unknown;

/** The handler of one of a worker's services, and its options. */
export interface LimitedListener<TRequest = any, TPartial = any, TFinal = any> {
  handler: RequestListener<TRequest, TPartial, TFinal>;
  /**
   * How many requests of this service may run at the same time, within the `concurrency` of the worker; -1 is no limit
   * of its own.
   * @defaultValue -1
   */
  concurrency?: number;
}

export interface WorkerEvents<TRequest = any, TPartial = any, TFinal = any> extends PeerEvents {
  /** An invalid message was dropped. */
  badMessage: [event: { reason: string }];
  /**
   * The broker has been unreachable for a second, or its name could not be looked up; with the reason of the
   * last failure. Emitted again at growing intervals. The worker continues to try.
   */
  unreachable: [event: { endpoint: string; code: string; reason: string }];
  /**
   * The brokers have these endpoints from now on: after `setEndpoints()`, or because the result of a lookup
   * has changed.
   */
  endpoints: [endpoints: readonly string[]];
  /**
   * A request. The next one is emitted when a running reply has ended, or up to `concurrency` requests at the
   * same time. Without a listener the client gets an error value with the code `W_NO_HANDLER`.
   */
  request: [data: TRequest, reply: Reply<TPartial, TFinal>, opts: ReceivedOptions];
}

/**
 * Handles the requests of a service, or of several services.
 *
 * A started worker keeps the process alive until `stop()`, and afterwards as long as its running handlers do.
 *
 * @typeParam TRequest - the data of its requests
 * @typeParam TPartial - the partials of its replies, given to `write()`
 * @typeParam TFinal - the finals of its replies, given to `end()`
 */
export class Worker<TRequest = any, TPartial = any, TFinal = any> extends Peer<
  WorkerEvents<TRequest, TPartial, TFinal>
> {
  /**
   * @param endpoint - the endpoint of the broker, or of several brokers: the worker serves all of them, and
   * `concurrency` is the limit over all of them
   * @param service - the name of the service: 1 to 255 bytes
   * @throws {TypeError | RangeError} for an invalid argument, also for a repeated endpoint
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
   * Serves several services, with one `concurrency` for all of them, and limits for single ones. The handlers are called as listeners of
   * `request` are; the event itself is not used. The broker sees a worker for each service, whose name is the
   * `name`, if one is given, `/` and the service. They share one connection, and `connect` is emitted for
   * each.
   * @param services - handlers, by the names of their services, alone or with a `concurrency`
   * @throws {TypeError | RangeError} for an invalid argument
   */
  constructor(
    endpoint: string | readonly string[],
    services: Readonly<
      Record<
        string,
        RequestListener<TRequest, TPartial, TFinal> | LimitedListener<TRequest, TPartial, TFinal>
      >
    >,
    conf?: WorkerConf | null,
  );
  /** Serves several services whose types differ; {@link ListenersOf} checks the handlers. */
  constructor(
    endpoint: string | readonly string[],
    services: Readonly<Record<string, RequestListener<never, any, any> | LimitedListener<never, any, any>>>,
    conf?: WorkerConf | null,
  );

  /** The endpoints of its brokers. Empty until the first lookup of a name of several brokers has ended. */
  readonly endpoints: readonly string[];

  /**
   * Replaces the brokers, at any time; brokers that remain keep their connections. A removed broker gets
   * nothing new: requests that have not started go to the other brokers, and the connection ends when the
   * running requests have ended.
   * @throws {TypeError | RangeError} for an invalid argument
   */
  setEndpoints(endpoint: string | readonly string[]): void;

  /** The name of its service, or of the first one. */
  readonly service: string;

  /** The names of all its services. */
  readonly services: readonly string[];

  /**
   * How many requests may run at the same time; -1 means no limit. May be changed at any time.
   * @throws {TypeError | RangeError} for an invalid value
   */
  concurrency: number;

  /** Whether the worker is paused; see {@link Worker.pause}. */
  readonly paused: boolean;

  /**
   * Accepts no new request until `resume()`; the worker remains registered. Requests that have not started
   * return to the broker, for other workers; running ones continue. May be called at any time: a worker that
   * is not started then starts paused. With a broker of 0.0.92, or of MDP, one request may have arrived
   * already; it waits in the worker.
   */
  pause(): void;

  /** Accepts requests again. */
  resume(): void;

  /** A snapshot: the state of its requests, and the numbers since its creation. */
  stats(): Promise<PeerStats>;

  /**
   * Accepts no new request, waits for the running ones, and leaves the broker. A reply that is still running
   * after the timeout is cancelled: its `active()` is false, and its `signal` aborts.
   */
  stop(options?: StopOptions | null): Promise<void>;
  stop(callback: () => void): void;
  stop(options: StopOptions | null | undefined, callback: () => void): void;
}

/**
 * The reply to one request, an objectMode `Writable`. It must be ended by `end()`, `error()`, `reject()` or
 * `destroy()` before the worker gets the next request.
 *
 * Values are encoded when they are given: an unsendable value throws a `TypeError` at the caller, and the
 * reply can still be ended. `write()` after the end is an error, as for any Writable; a second `end()` or
 * `error()` has no effect. A listener for its `error` event is not required.
 */
export interface Reply<TPartial = any, TFinal = any> extends Writable {
  /**
   * Sends a partial. `null` and `undefined` may be sent, and are received as `null`. Returns false if the
   * partial has to wait because the client does not keep up; `drain` is emitted when no part waits any more.
   */
  write(partial: TPartial, callback?: (error: Error | null | undefined) => void): boolean;
  write(
    partial: TPartial,
    encoding: BufferEncoding | PartOptions | null | undefined,
    callback?: (error: Error | null | undefined) => void,
  ): boolean;

  /** Permits streams to be piped into the reply, whatever its types. */
  write(partial: never, encoding?: never, callback?: (error: Error | null | undefined) => void): boolean;

  /** Sends the final, `null` if none is given, and ends the reply. */
  end(callback?: () => void): this;
  end(final: TFinal, callback?: () => void): this;
  end(final: TFinal, encoding: BufferEncoding | PartOptions | null | undefined, callback?: () => void): this;
  /** Permits streams to be piped into the reply, whatever its types: `pipe()` ends it without a value. */
  end(final: never, encoding?: never, callback?: () => void): this;

  /**
   * Ends the reply with an error value. An `Error` is sent as `{ message, name, code }`, without its stack;
   * any other value unchanged.
   */
  error(value?: unknown): void;

  /**
   * Rejects the request before any part of the reply: the broker gives it to another worker, and never again
   * to one that has rejected it. The reason is for the operator of the broker.
   * @throws {Error} if a part of the reply was written
   */
  reject(reason?: unknown): void;
  /**
   * Ends the reply with `error`, or with an error value with the code `W_DESTROYED`. Has no effect if the
   * reply has ended.
   */
  destroy(error?: Error): this;

  /** Sends a heartbeat of the worker. Heartbeats are sent automatically; the method exists for code of 0.0.92. */
  heartbeat(): void;

  /**
   * Whether the reply is still wanted: it has not ended, and the client has not timed out, cancelled or gone.
   * Parts that are written to an inactive reply are discarded, but it still has to be ended.
   */
  active(): boolean;

  /** Whether the reply has ended, by `end()`, `error()`, `reject()` or `destroy()`. */
  readonly ended: boolean;

  /**
   * Milliseconds left until the deadline of the client, 0 if it has passed; `Infinity` without a deadline. A
   * further request can take it over: `{ deadline: reply }`.
   */
  readonly remaining: number;

  /** Aborts if the reply becomes inactive before it has ended; the reason is an {@link OmdpError}. */
  readonly signal: AbortSignal;
}

// ---------------------------------------------------------------------------------------------- client

export interface ClientConf extends ConnectingPeerConf {
  /**
   * Whether the `error` event of every stream carries bare values and codes, as in 0.0.92. By default only
   * streams of requests with callbacks do.
   * @defaultValue false
   */
  errorValues?: boolean;
  /**
   * The schemas of services, from which the types of their requests are inferred. Request data that do not
   * match throw a {@link SchemaError}; a reply that does not match ends its request with `W_BAD_REPLY`.
   */
  schemas?: ServiceSchemas | null;
  /**
   * The default timeout of requests: the longest time without progress of the reply, in ms. -1 means no
   * limit.
   * @defaultValue 60000
   */
  timeout?: number;
  /**
   * The dialect of the broker. Under MDP requests are sent one after the other, each after the end of the
   * previous one, and cancelling one ends the connection, which is then opened again. The name and heartbeats
   * are not sent; `headers`, `retry` and `failFast` throw.
   * @defaultValue 'omdp'
   */
  protocol?: Protocol;
}

/** When a client repeats a failed request; never after a partial has arrived. */
export interface RetryPolicy {
  /**
   * Maximum number of attempts, including the first one: 1 to 255.
   * @defaultValue 3
   */
  attempts?: number;
  /**
   * The failures after which the request is repeated: its worker or broker was lost, every worker rejected
   * it, the handler replied with an error, or it timed out.
   * @defaultValue `['lost']`
   */
  on?: readonly ('lost' | 'rejected' | 'error' | 'timeout')[];
  /**
   * The pause before the second attempt, in ms.
   * @defaultValue 100
   */
  delay?: number;
  /**
   * The factor by which each further pause is longer: 1 to 1000.
   * @defaultValue 2
   */
  factor?: number;
  /**
   * The longest pause, in ms.
   * @defaultValue 10000
   */
  maxDelay?: number;
  /**
   * The fraction by which a pause is randomly shorter or longer: 0 to 1.
   * @defaultValue 0.2
   */
  jitter?: number;
}

export interface RequestOptions {
  /**
   * The longest time without progress of the reply, in ms; each partial restarts it. -1 means no limit; 0 or
   * a missing value means the client's `conf.timeout`.
   */
  timeout?: number | null;
  /**
   * The maximum total duration of the request, in ms, in addition to the idle timeout; then it ends with
   * `C_TIMEOUT`. 0 ends it at once, `Infinity` or a missing value means none. The reply to the request being
   * handled may be given instead: its remaining time.
   */
  deadline?: number | { readonly remaining: number } | null;
  /** Ends the request with `C_ABORTED` when it aborts; `reply.signal` at the worker then aborts, too. */
  signal?: AbortSignal | null;
  /** Values that are sent with the request; the handler gets them as `opts.headers`. */
  headers?: RequestHeaders | null;
  /**
   * The priority: 0 to 9, where 9 precedes 0. Requests of one priority are served in the order of their
   * arrival. Each `priorityAgeing` of the broker spent waiting raises a request by one level.
   * @defaultValue 0
   */
  priority?: number | null;
  /**
   * The name of the only worker that may get the request. It waits while that worker is busy, and ends with
   * `W_NONE` if it does not exist.
   */
  worker?: string | null;
  /** A routing key of 1 to 255 bytes. Requests with the same key go to one worker as long as it exists. */
  key?: string | null;
  /**
   * How often the request may start again at another worker after the loss of the one that had it: 0 to 255,
   * but never after a partial has arrived; then it ends with `W_LOST`. Or a policy by which the client
   * repeats it. A broker of 0.0.92 never repeats a request; under MDP the option throws.
   * @defaultValue 0
   */
  retry?: number | RetryPolicy | null;
  /**
   * Whether the request ends with `W_NONE` when no worker offers the service, instead of waiting for one. Has
   * no effect at a broker of 0.0.92; under MDP the option throws.
   * @defaultValue false
   */
  failFast?: boolean | null;
  /**
   * Whether the memory of the data, or of the parts of a stream, is given away instead of being copied, if they are
   * bytes that have an `ArrayBuffer` of their own. It is detached, as by `structuredClone()` with `transfer`.
   * @defaultValue false
   */
  transfer?: boolean | null;
}

/** Options of a part of a reply. */
export interface PartOptions {
  /**
   * Whether the memory of the part is given away instead of being copied, if it is bytes that have an `ArrayBuffer` of
   * their own. It is detached, as by `structuredClone()` with `transfer`.
   * @defaultValue false
   */
  transfer?: boolean | null;
}

/**
 * Called with each partial: a function with exactly one declared parameter gets only the data, any other gets
 * `(null, data)`.
 */
// TypeScript infers the parameters of a function with one parameter by the first member, and of a function with
// two by the last signature. The generic signature makes it ignore the second member for one parameter.
export type PartialCallback<TPartial = any> =
  | ((data: TPartial) => void)
  | { <T>(ignored: T): void; (error: null, data: TPartial): void };

/**
 * Called exactly once: `(null, data)` with the value of `reply.end()`, or `(error)` with the unchanged value
 * of `reply.error()`, or with a code of this package, a string.
 */
export type FinalCallback<TFinal = any, TError = any> = (
  error: TError | ErrorCode | null,
  data?: TFinal,
) => void;

export interface ClientEvents extends PeerEvents {
  /** An invalid message was dropped. */
  badMessage: [event: { reason: string }];
  /**
   * The broker has been unreachable for a second, or its name could not be looked up; with the reason of the
   * last failure. Emitted again at growing intervals. The client continues to try.
   */
  unreachable: [event: { endpoint: string; code: string; reason: string }];
  /**
   * The brokers have these endpoints from now on: after `setEndpoints()`, or because the result of a lookup
   * has changed.
   */
  endpoints: [endpoints: readonly string[]];
}

/**
 * The types of one service: the data of its requests, the partials and the finals of its replies. Without
 * `partial` it has no partials; without `request` or `reply` that type is `unknown`.
 */
export interface ServiceTypes {
  request?: unknown;
  partial?: unknown;
  reply?: unknown;
}

/** Untyped services. */
export interface AnyServices {
  [service: string]: { request: any; partial: any; reply: any };
}

type Declared<T, K extends keyof ServiceTypes, TMissing> = K extends keyof T ? T[K] : TMissing;
type Input<T> = T extends StandardSchema<infer TInput, any> ? TInput : T;
type Output<T> = T extends StandardSchema<any, infer TOutput> ? TOutput : T;

// Mapped types, and all members in the second one: TypeScript can then relate `Services[S]['request']` and
// `Services[S]['reply']` with their members for an unknown `S`.
type Given<TServices> = {
  [S in keyof TServices]: { request: Input<Declared<TServices[S], 'request', unknown>> };
};
type Received<TServices> = {
  [S in keyof TServices]: {
    request: Declared<TServices[S], 'request', unknown>;
    partial: Output<Declared<TServices[S], 'partial', never>>;
    reply: Output<Declared<TServices[S], 'reply', unknown>>;
  };
};

/** The data that a client gives to a typed service. For a schema, its input. */
export type RequestOf<TServices, S extends keyof TServices> = Given<TServices>[S]['request'];

/** The partials that a client gets from a typed service. For a schema, its output. */
export type PartialOf<TServices, S extends keyof TServices> = Received<TServices>[S]['partial'];

/** The finals that a client gets from a typed service. For a schema, its output. */
export type ReplyOf<TServices, S extends keyof TServices> = Received<TServices>[S]['reply'];

/** The typed services whose requests may have no data. */
type WithoutData<TServices> = {
  [S in keyof TServices]: [undefined] extends [RequestOf<TServices, S>]
    ? S
    : [null] extends [RequestOf<TServices, S>]
      ? S
      : never;
}[keyof TServices] &
  string;

/** Any service name if the services are untyped; otherwise never. */
type UntypedService<TServices> = string extends keyof TServices ? string : never;

/** The worker of a typed service. For schemas it gets the output of `request`, and gives the input of the others. */
export type WorkerOf<
  TServices extends { [S in keyof TServices]: ServiceTypes },
  S extends keyof TServices,
> = Worker<
  Output<Declared<TServices[S], 'request', unknown>>,
  Input<Declared<TServices[S], 'partial', never>>,
  Input<Declared<TServices[S], 'reply', unknown>>
>;

/** The request listener of a typed service, with the types of {@link WorkerOf}. */
export type ListenerOf<
  TServices extends { [S in keyof TServices]: ServiceTypes },
  S extends keyof TServices,
> = RequestListener<
  Output<Declared<TServices[S], 'request', unknown>>,
  Input<Declared<TServices[S], 'partial', never>>,
  Input<Declared<TServices[S], 'reply', unknown>>
>;

/** The request listeners of typed services, for a worker of several services. */
export type ListenersOf<TServices extends { [S in keyof TServices]: ServiceTypes }> = {
  [S in keyof TServices]: ListenerOf<TServices, S>;
};

/**
 * Makes requests to services. Requests made before `start()`, or while no broker is connected, wait and are
 * sent later.
 *
 * A client keeps the process alive while it has outstanding requests, and until its `start()` or `stop()` is
 * done.
 *
 * @typeParam TServices - the types of the services, by their names; without it each call may specify its own.
 * Type parameters of requests are in the order data, partial, final.
 */
export class Client<
  TServices extends { [S in keyof TServices]: ServiceTypes } = AnyServices,
> extends Peer<ClientEvents> {
  /**
   * @param endpoint - the endpoint of the broker, or of several brokers: each request goes to the connected
   * broker that has the fewest requests of this client
   * @throws {TypeError | RangeError} for an invalid argument, also for a repeated endpoint
   */
  constructor(
    endpoint: string | readonly string[],
    conf?: (ClientConf & { schemas?: TServices | null }) | null,
  );
  /** Options that are declared as a {@link ClientConf}, without the types of their schemas. */
  constructor(endpoint: string | readonly string[], conf?: ClientConf | null);

  /** The endpoints of its brokers. Empty until the first lookup of a name of several brokers has ended. */
  readonly endpoints: readonly string[];

  /**
   * Replaces the brokers, at any time; brokers that remain keep their connections. A removed broker gets
   * nothing new: requests that have not started go to the other brokers, and the connection ends when the
   * running requests have ended.
   * @throws {TypeError | RangeError} for an invalid argument
   */
  setEndpoints(endpoint: string | readonly string[]): void;

  /**
   * Makes a request, with callbacks.
   *
   * With a callback the returned stream flows from the start: it emits the parts that arrive after a listener
   * was added. Without a callback it is that of {@link Client.requestStream}.
   *
   * @param service - 1 to 255 bytes
   * @param partialCb - called with each partial: a function with exactly one declared parameter gets only the
   * data, any other gets `(null, data)`
   * @param finalCb - called once, at the end
   * @throws {TypeError | RangeError} for an invalid argument, or for unsendable data
   */
  request<S extends keyof TServices & string>(
    service: S,
    data: RequestOf<TServices, S>,
    opts: RequestOptions,
  ): RequestStream<PartialOf<TServices, S>, ReplyOf<TServices, S>>;
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
    data: RequestOf<TServices, S>,
    partialCb?: PartialCallback<PartialOf<TServices, S>> | null,
    finalCb?: FinalCallback<ReplyOf<TServices, S>> | null,
    opts?: RequestOptions | null,
  ): RequestStream<PartialOf<TServices, S>, ReplyOf<TServices, S>>;
  request<S extends keyof TServices & string>(
    service: S,
    data: RequestOf<TServices, S>,
    partialCb: (error: null, data: PartialOf<TServices, S>) => void,
    finalCb?: FinalCallback<ReplyOf<TServices, S>> | null,
    opts?: RequestOptions | null,
  ): RequestStream<PartialOf<TServices, S>, ReplyOf<TServices, S>>;
  request<TRequest = any, TPartial = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    partialCb?: PartialCallback<TPartial> | null,
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
   * Makes a request whose reply is read as a stream. Parts that arrive before they are read are kept.
   * @throws {TypeError | RangeError} for an invalid argument, or for unsendable data
   */
  requestStream<S extends keyof TServices & string>(
    service: S,
    data: RequestOf<TServices, S>,
    opts?: RequestOptions | null,
  ): RequestStream<PartialOf<TServices, S>, ReplyOf<TServices, S>>;
  requestStream<S extends WithoutData<TServices>>(
    service: S,
  ): RequestStream<PartialOf<TServices, S>, ReplyOf<TServices, S>>;
  requestStream<TRequest = any, TPartial = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    opts?: RequestOptions | null,
  ): RequestStream<TPartial, TFinal>;

  /**
   * Makes a request and resolves with the data of its final; partials are ignored.
   *
   * Rejects with an {@link OmdpError}, with a {@link RemoteError} for an error value of the worker, and with
   * a `TypeError` or `RangeError` for an invalid argument or unsendable data.
   */
  call<S extends keyof TServices & string>(
    service: S,
    data: RequestOf<TServices, S>,
    opts?: RequestOptions | null,
  ): Promise<ReplyOf<TServices, S>>;
  call<S extends WithoutData<TServices>>(service: S): Promise<ReplyOf<TServices, S>>;
  call<TRequest = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    opts?: RequestOptions | null,
  ): Promise<TFinal>;

  /**
   * Makes a request to every worker that is registered for a service when the request arrives at the broker,
   * and yields their answers as they arrive. Ends when all have answered, at a limit, or when the loop is
   * left; workers that have not answered are then cancelled. A worker that is lost, or fails, yields an
   * `error`. The loss of the broker throws `B_LOST`.
   * @throws {TypeError | RangeError} for an invalid argument
   */
  callAll<S extends keyof TServices & string>(
    service: S,
    data: RequestOf<TServices, S>,
    options?: CallAllOptions | null,
  ): AsyncGenerator<Answer<ReplyOf<TServices, S>>, void, void>;
  callAll<S extends WithoutData<TServices>>(
    service: S,
  ): AsyncGenerator<Answer<ReplyOf<TServices, S>>, void, void>;
  callAll<TRequest = any, TFinal = any>(
    service: UntypedService<TServices>,
    data?: TRequest,
    options?: CallAllOptions | null,
  ): AsyncGenerator<Answer<TFinal>, void, void>;

  /**
   * The services at the broker that have a worker or a request and that the user may use. With several
   * brokers, those of one broker.
   */
  services(opts?: RequestOptions | null): Promise<ServiceInfo[]>;

  /**
   * A service and its workers; `null` if it has neither a worker nor a request, or if the user may not use
   * it.
   */
  service(service: string, opts?: RequestOptions | null): Promise<ServiceDetails | null>;

  /**
   * Asks the broker whether a worker serves the service, and resolves with the round trip in ms. Rejects with
   * `W_NONE` if none does. No request is sent to workers.
   */
  ping(service: string, opts?: RequestOptions | null): Promise<number>;

  /**
   * Yields workers that come and go, beginning with all that are present. Asks the broker each second, or at
   * another interval. Ends when the loop is left, when `signal` aborts, or when the client stops.
   * @throws {TypeError | RangeError} for an invalid argument, or for a client of several brokers
   */
  watchServices(options?: WatchOptions | null): AsyncGenerator<ServiceChange, void, void>;

  /** A snapshot: the state of its requests, and the numbers since its creation. */
  stats(): Promise<PeerStats>;

  /**
   * Tells the broker that this client is alive or, with the `rid` of a request, tells the worker that its
   * reply is still wanted. Both happen automatically; the method exists for code of 0.0.92.
   */
  heartbeat(rid?: string | number | null): void;
}

export interface CallAllOptions {
  /**
   * How long to wait for all answers, in ms; -1 means no limit. Then the iteration ends with the answers that
   * have arrived.
   * @defaultValue 60000
   */
  timeout?: number;
  /**
   * How long to wait for the next answer after the first one, in ms; -1 means no limit.
   * @defaultValue -1
   */
  stall?: number;
  /** The number of answers after which the iteration ends. No limit if missing. */
  max?: number;
  /** See {@link RequestOptions.deadline}. Then the iteration throws `C_TIMEOUT`. */
  deadline?: RequestOptions['deadline'];
  /** Makes the iteration throw `C_ABORTED` when it aborts. */
  signal?: AbortSignal;
  /** See {@link RequestOptions.headers}. */
  headers?: RequestHeaders;
}

/**
 * The answer of one worker to {@link Client.callAll}, or why there is none: an {@link OmdpError} or a {@link
 * RemoteError}.
 */
export type Answer<TFinal = any> =
  | { worker: string; value: TFinal; error?: undefined }
  | { worker: string; value?: undefined; error: OmdpError | RemoteError };

/** A service in the broker's directory. Times are in ms. */
export interface ServiceInfo {
  name: string;
  /** For a name with a version, such as `orders@2.1.0`: the name without it, and the version. */
  base?: string;
  version?: string;
  /** The number of registered workers. */
  workers: number;
  queued: number;
  running: number;
  /** The number of received requests, and of those that ended with an error value or a code. */
  requests: number;
  errors: number;
  /**
   * The latest error: a code, or the beginning of the worker's error value, up to 256 bytes. The latter is
   * missing for users who may not call `mmi.metrics`.
   */
  lastError: { code?: string; value?: string; at: Date } | null;
  /** How long requests were at workers. */
  time: { mean: number; p50: number; p90: number; p95: number; p99: number; max: number };
  /** When the first of its present workers registered. */
  started: Date | null;
}

/** A service with its workers. */
export interface ServiceDetails extends ServiceInfo {
  instances: WorkerInfo[];
}

/** A worker in the broker's directory. */
export interface WorkerInfo {
  name: string;
  description?: string;
  metadata?: any;
  dialect: Protocol;
  running: number;
  /** The number of ended requests, and of those that ended with an error value. */
  ended: number;
  failed: number;
  started: Date;
  lastHeard: Date;
}

export interface WatchOptions {
  /**
   * The interval of queries to the broker, in ms: 10 and up.
   * @defaultValue 1000
   */
  interval?: number;
  /** Ends the iteration. */
  signal?: AbortSignal;
}

/** A worker has come or gone. `workers` is the service's number of workers afterwards. */
export type ServiceChange =
  | { type: 'ready'; service: string; worker: string; workers: number }
  /** The reason is that of the broker's event `workerGone`, or `missed` if that event was missed. */
  | { type: 'gone'; service: string; worker: string; workers: number; reason: string };

/** The parts of a Readable: any value but `null`, which means the end. */
type Part<TPartial, TFinal> = NonNullable<TPartial | TFinal>;

/** The events of a {@link RequestStream}. */
export interface RequestStreamEvents<TPartial = any, TFinal = any> {
  close: [];
  data: [part: Part<TPartial, TFinal>];
  end: [];
  error: [error: any];
  pause: [];
  readable: [];
  resume: [];
}

/**
 * The reply to a request, an objectMode `Readable`: each partial and, last, the data of the final. A Readable
 * cannot contain `null`, so a partial or final that is `null` reaches only the callbacks.
 *
 * Its `error` event carries a {@link RemoteError} or an {@link OmdpError}; for a request with callbacks, or a
 * client with `errorValues`, the bare error value of the worker or a code, a string. Without a listener
 * nothing is thrown. The error follows parts of the reply that are still unread. `destroy()`, or leaving a
 * `for await` loop, ends the request with `C_ABORTED`.
 */
export interface RequestStream<TPartial = any, TFinal = any> extends Readable {
  /** The id of the request, for {@link Client.heartbeat}. */
  readonly rid: string;

  /** Tells the worker that the reply is still wanted. It happens automatically. */
  heartbeat(): void;

  read(size?: number): Part<TPartial, TFinal> | null;
  /** Permits a stream of Buffers as a `NodeJS.ReadableStream`. */
  read(size?: number): any;
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Part<TPartial, TFinal>>;

  toArray(options?: { signal?: AbortSignal }): Promise<Part<TPartial, TFinal>[]>;

  on<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
  once<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
  off<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
  addListener<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
  removeListener<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
  prependListener<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
  prependOnceListener<E extends keyof RequestStreamEvents & string>(
    event: E,
    listener: (...args: RequestStreamEvents<TPartial, TFinal>[E]) => unknown,
  ): this;
}

// --------------------------------------------------------------------------------------------- library

/** The version of the built-in libzmq, such as `'4.3.5'`. */
export const version: string;

/** The capabilities of the built-in libzmq. */
export const capability: {
  readonly ipc: boolean;
  readonly pgm: boolean;
  readonly tipc: boolean;
  readonly norm: boolean;
  readonly curve: boolean;
  readonly gssapi: boolean;
  readonly draft: boolean;
};

// Without this line TypeScript would export all declarations.
export type { Peer };
