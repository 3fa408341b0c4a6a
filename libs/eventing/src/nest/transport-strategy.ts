import type { EventEnvelope, EventType } from '@aura/contracts';
import { Catch, type INestApplication, type RpcExceptionFilter } from '@nestjs/common';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import { Handlers, type EventHandler, type RowLocks } from '../consumer/handlers.js';
import type { Work } from '../unit-of-work/work.js';

export const AURA_TRANSPORT = Symbol('aura');

/** What `@On` tells the strategy about a method. */
export interface OnExtras {
  readonly type: EventType;
  readonly mode: 'each' | 'set';
  readonly name: string;
  readonly locks?: RowLocks;
}

/**
 * Nest's decorators, guards, pipes and interceptors in front of our consumer (docs/adr/0008): Nest's own
 * Kafka server has no batches, no dead letters and no control of offsets. It only collects the handlers;
 * `onListen` starts the consumer with them, `onClose` stops it.
 */
export class AuraTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = AURA_TRANSPORT;
  override readonly propagatesEventHandlerErrors = true;
  readonly #handlers: EventHandler[] = [];

  constructor(
    private readonly onListen: (handlers: Handlers) => Promise<void>,
    private readonly onClose: () => Promise<void>,
  ) {
    super();
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    _isEvent?: boolean,
    extras: Record<string, unknown> = {},
  ): void {
    const on = extras['aura'] as OnExtras | undefined;
    if (!on)
      throw new Error(
        `${JSON.stringify(pattern)} is not declared with @On: use @On(Event) of @aura/eventing`,
      );
    const call = callback as unknown as NestHandler;
    const { type, mode, name, locks } = on;
    const handle = (data: EventEnvelope | readonly EventEnvelope[], work: Work): Promise<void> =>
      settle(call(data, work));
    this.#handlers.push({ type, mode, name, handle, ...(locks ? { locks } : {}) });
  }

  override async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.onListen(new Handlers(this.#handlers));
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  override close(): Promise<void> {
    return this.onClose();
  }

  override on(): never {
    throw new Error('the Aura transport has no driver events: look at its status');
  }

  override unwrap(): never {
    throw new Error('the Aura transport wraps no driver');
  }
}

type NestHandler = (data: unknown, work: Work) => Promise<unknown>;

/** Nest answers with a promise of a stream; the handler has ended when the stream has. */
async function settle(answer: Promise<unknown>): Promise<void> {
  const value = await answer;
  if (isObservable(value)) await lastValueFrom(value, { defaultValue: undefined });
}

/**
 * H43. Nest's own last filter turns every error into `{ status: 'error' }`: class, SQLSTATE and stack are
 * gone, and with them retries and letters. As the global filter of our transport only; filters of the
 * user's own come before it.
 */
@Catch()
export class WholeErrorFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/**
 * Connects `transport` to `app`: it starts with `app.startAllMicroservices()`. Apart from the HTTP side's
 * own filters.
 */
export function connectTransport(app: INestApplication, transport: AuraTransport): void {
  const microservice = app.connectMicroservice({ strategy: transport }, { deferInitialization: true });
  microservice.useGlobalFilters(new WholeErrorFilter());
  // The application calls its modules' init hooks; without this Nest would call them a second time.
  (microservice as unknown as { setIsInitHookCalled(called: boolean): void }).setIsInitHookCalled(true);
}
