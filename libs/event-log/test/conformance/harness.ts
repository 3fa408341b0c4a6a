import type { EventLog } from '../../src/index.js';

/**
 * What an adapter gives the suite. Everything it opens is on one server that the whole run shares, but
 * `ownServer`.
 */
export interface Harness {
  readonly kind: EventLog['kind'];
  /** Another log on the same server, as another process would open it. The suite closes it. */
  open(): EventLog;
  /**
   * How a child process opens one: `module` exports `open(config): EventLog`; `config` survives a structured
   * clone.
   */
  readonly child: { readonly module: URL; readonly config: unknown };
  /** Deletes the records before `before`, as retention does. */
  deleteBefore(topic: string, partition: number, before: bigint): Promise<void>;
  /** Deletes a topic with its records, as an operator may. */
  deleteTopic(topic: string): Promise<void>;
  /** The shortest session that the server allows: who waits for a dead member waits this long. */
  readonly sessionTimeoutMs: number;
  /** A server that the suite may stop and start. Left out where the adapter can't have one. */
  ownServer?(): Promise<OwnServer>;
  close(): Promise<void>;
}

export interface OwnServer {
  open(): EventLog;
  /** Ends it at once, as a crash does. */
  stop(): Promise<void>;
  start(): Promise<void>;
  dispose(): Promise<void>;
}
