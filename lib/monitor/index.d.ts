import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Broker, Client } from '../../index';

export interface MonitorOptions {
  /**
   * The token that requests must send as `Authorization: Bearer …`. `/healthz`, `/readyz` and the page's
   * files need none.
   */
  token?: string;
  /**
   * Whether connections from other machines, and any `Host`, are accepted.
   * @defaultValue false
   */
  remote?: boolean;
  /** Makes the test requests of the page, which has no form without it. It must be started. */
  client?: Client;
  /**
   * The number of workers with separate metrics in `/metrics`; the others are summed as `other`.
   * @defaultValue 200
   */
  maxWorkers?: number;
  /**
   * The interval of updates of the page, in ms; 100 and up.
   * @defaultValue 2000
   */
  interval?: number;
}

/** A request listener for Node's `http`. `close()` ends its timers, listeners and open streams. */
export type Monitor = ((req: IncomingMessage, res: ServerResponse) => void) & { close(): void };

/**
 * Shows a broker: `/metrics`, `/healthz`, `/readyz`, `/stats.json`, and a page at `/`.
 * @throws {TypeError | RangeError} for a bad argument
 */
export function createMonitor(broker: Broker, options?: MonitorOptions | null): Monitor;
