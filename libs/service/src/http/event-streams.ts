/**
 * Server-sent events (WHATWG HTML, 9.2), bounded in clients and in memory.
 *
 * - V1 a client that does not read is cut at `maxBufferedBytes`, and comes back with its `Last-Event-ID`;
 * - V2 no more than `maxStreams` at a time: the next one gets a 503 with Retry-After;
 * - V3 `close()` ends every stream, so that a server with open streams can stop.
 */
import type { Request, Response } from 'express';
import { ProblemException } from './problem.js';

export interface ServerSentEvent {
  /** What a client sends back as `Last-Event-ID` after a break. */
  readonly id?: string;
  /** The event's type; clients listen by it. Default: `message`. */
  readonly type?: string;
  /** Sent as JSON. */
  readonly data: unknown;
}

export interface EventStream {
  /** The id of the last event that this client has seen, after a break. */
  readonly lastEventId: string | undefined;
  /** Aborted when the client is gone, too slow, or the service stops. Free what feeds the stream then. */
  readonly closed: AbortSignal;
  /**
   * Sends one event. Resolves when the client's buffer has room again (await it: that is the
   * back-pressure), or when the stream has ended. Never rejects.
   */
  send(event: ServerSentEvent): Promise<void>;
  /** Ends the stream after what was sent. Idempotent. */
  close(): void;
}

export interface EventStreamsOptions {
  readonly maxStreams?: number;
  readonly maxBufferedBytes?: number;
  /** A comment is sent this often, so that proxies keep the connection and the dead ones are noticed. */
  readonly heartbeatMs?: number;
  /** How long a browser waits before it connects again. */
  readonly retryMs?: number;
}

export class EventStreams {
  readonly #open = new Set<OpenStream>();
  readonly #options: Required<EventStreamsOptions>;
  #heartbeat: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: EventStreamsOptions = {}) {
    this.#options = {
      maxStreams: 500,
      maxBufferedBytes: 256 * 1024,
      heartbeatMs: 15_000,
      retryMs: 2_000,
      ...options,
    };
  }

  /** How many clients are connected. */
  get size(): number {
    return this.#open.size;
  }

  /** Answers `request` with a stream. Throws a 503 at the limit, or when the service is stopping. */
  open(request: Request, response: Response): EventStream {
    if (this.#stopped || this.#open.size >= this.#options.maxStreams)
      throw new ProblemException({
        status: 503,
        kind: 'too-many-streams',
        detail: this.#stopped
          ? 'The service is stopping.'
          : `All ${this.#options.maxStreams} streams are taken.`,
        headers: { 'Retry-After': '5' },
      });
    const stream = new OpenStream(request, response, this.#options);
    this.#open.add(stream);
    this.#heartbeat ??= setInterval(() => this.#beat(), this.#options.heartbeatMs).unref();
    stream.closed.addEventListener('abort', () => this.#forget(stream), { once: true });
    return stream;
  }

  /** Ends every stream and opens no other. */
  close(): void {
    this.#stopped = true;
    for (const stream of this.#open) stream.close();
  }

  #forget(stream: OpenStream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  #beat(): void {
    for (const stream of this.#open) stream.beat();
  }
}

class OpenStream implements EventStream {
  readonly lastEventId: string | undefined;
  readonly #abort = new AbortController();
  /** Settles when the client has read; one for all who wait. */
  #room: Promise<void> | undefined;

  constructor(
    request: Request,
    private readonly response: Response,
    private readonly options: Required<EventStreamsOptions>,
  ) {
    this.lastEventId = request.get('Last-Event-ID')?.slice(0, 255);
    response.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    response.once('close', () => this.#abort.abort());
    response.on('error', () => this.#abort.abort());
    response.write(`retry: ${options.retryMs}\n\n`);
  }

  get closed(): AbortSignal {
    return this.#abort.signal;
  }

  async send(event: ServerSentEvent): Promise<void> {
    if (this.closed.aborted || this.#write(format(event))) return;
    await (this.#room ??= this.#roomAgain());
  }

  beat(): void {
    if (!this.closed.aborted) this.#write(':\n\n');
  }

  close(): void {
    if (this.closed.aborted) return;
    this.#abort.abort();
    this.response.end();
  }

  #roomAgain(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#room = undefined;
        resolve();
      };
      this.response.once('drain', done);
      this.closed.addEventListener('abort', done, { once: true });
    });
  }

  /** False where the client must read first. V1: a client that lets its buffer grow past the limit is cut. */
  #write(text: string): boolean {
    if (this.response.writableLength + text.length > this.options.maxBufferedBytes) {
      this.#abort.abort();
      this.response.destroy();
      return true;
    }
    return this.response.write(text);
  }
}

/** One event as text. Line ends in `id` and `type` would start another field: they are dropped. */
export function format({ id, type, data }: ServerSentEvent): string {
  return `${field('id', id)}${field('event', type)}data: ${JSON.stringify(data)}\n\n`;
}

function field(name: string, value: string | undefined): string {
  return value === undefined ? '' : `${name}: ${value.replaceAll(/[\r\n\0]/g, '')}\n`;
}
