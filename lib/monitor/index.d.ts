import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Broker, Client } from '../../index';

export interface MonitorOptions {
  /** Whoever wants numbers sends it as `Authorization: Bearer …`. `/healthz`, `/readyz` and the empty page need none. */
  token?: string;
  /**
   * Whether connections from other machines are answered, and any `Host`.
   * @defaultValue false
   */
  remote?: boolean;
  /** Makes the test requests of the page; without it the page has no form. It has to be started. */
  client?: Client;
  /**
   * How many workers `/metrics` tells apart; the others are one, `other`.
   * @defaultValue 200
   */
  maxWorkers?: number;
  /**
   * How often the page is told, in ms; 100 and up.
   * @defaultValue 2000
   */
  interval?: number;
}

/** A request listener for Node's `http`; `close()` ends what it does by itself. */
export type Monitor = ((req: IncomingMessage, res: ServerResponse) => void) & { close(): void };

/**
 * Shows a broker: `/metrics`, `/healthz`, `/readyz`, `/stats.json`, and a page at `/`.
 * @throws {TypeError | RangeError} for a bad argument
 */
export function createMonitor(broker: Broker, options?: MonitorOptions | null): Monitor;
