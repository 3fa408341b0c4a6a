import type { EventEnvelope } from '@aura/contracts';
import {
  Controller,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  Injectable,
  Module,
  type OnModuleInit,
  type NestInterceptor,
  type PipeTransform,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Counted, serviceFixture, type ServiceFixture } from '../../test/service-fixture.js';
import type { Handlers } from '../consumer/handlers.js';
import { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { Work } from '../unit-of-work/work.js';
import { On } from './on.decorator.js';
import { AuraTransport, connectTransport } from './transport-strategy.js';

const seen: string[] = [];

class ShopError extends Error {
  readonly code = '23505';
}

@Injectable()
class OpenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const event = context.switchToRpc().getData<EventEnvelope<Counted>>();
    seen.push(`guard ${event.payload.key}`);
    return event.payload.key !== 'refused';
  }
}

class DoublingPipe implements PipeTransform {
  transform(value: unknown): unknown {
    const event = value as EventEnvelope<Counted>;
    if (event.payload === undefined) return value; // the unit of work passes the pipe as well
    return { ...event, payload: { ...event.payload, n: event.payload.n * 2 } };
  }
}

class SeeingInterceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push('before');
    return next.handle();
  }
}

@Controller()
class CountedHandler {
  @UseGuards(OpenGuard)
  @UsePipes(new DoublingPipe())
  @UseInterceptors(new SeeingInterceptor())
  @On(Counted)
  async counted(event: EventEnvelope<Counted>, work: Work): Promise<void> {
    seen.push(`counted ${event.payload.n}`);
    await work.manager.query('insert into item values ($1)', [event.payload.n]);
    work.raise(Counted.of({ key: 'next', n: event.payload.n }));
    if (event.payload.key === 'fails') throw new ShopError('the shop is closed');
  }
}

let inits = 0;

@Module({ controllers: [CountedHandler] })
class ShopModule implements OnModuleInit {
  onModuleInit(): void {
    inits++;
  }
}

let service: ServiceFixture;
let app: INestApplication;
let handlers: Handlers;
beforeAll(async () => {
  service = await serviceFixture({ sql: 'create table item (id int primary key)' });
  app = await NestFactory.create(ShopModule, { logger: false });
  const transport = new AuraTransport(
    async (found) => {
      handlers = found;
    },
    async () => undefined,
  );
  await app.init();
  connectTransport(app, transport);
  await app.startAllMicroservices();
});
afterAll(async () => {
  await app.close();
  await service.close();
});
beforeEach(async () => {
  await service.pool.query('truncate item, aura.outbox');
  seen.length = 0;
});

/** Runs the handler as the consumer does, and commits. */
async function deliver(payload: Counted): Promise<void> {
  const event = {
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    headers: {},
    payload,
  } as EventEnvelope<Counted>;
  const [handler] = handlers.of('spec.Counted', 'spec.events');
  if (handler?.mode !== 'each') throw new Error('no handler was found');
  const unit = await UnitOfWork.begin(service.units.context);
  try {
    await handler.handle(event, unit.work({ kind: 'event', event, group: 'shop' }));
    await unit.commit(handler.name);
  } finally {
    await unit.rollback();
  }
}

it('a method under @On gets the event and the unit of work, behind guard, interceptor and pipe', async () => {
  await deliver({ key: 'a', n: 3 });
  expect(seen).toEqual(['guard a', 'before', 'counted 6']);
  expect(await service.rows('select id from item')).toEqual([{ id: 6 }]);
  expect(await service.rows('select key from aura.outbox')).toEqual([{ key: 'next' }]);
});

it('a guard that refuses keeps the method from running', async () => {
  await expect(deliver({ key: 'refused', n: 1 })).rejects.toThrow('Forbidden');
  expect(seen).toEqual(['guard refused']);
});

it('H43: a handler’s error arrives whole: class, SQLSTATE and stack', async () => {
  const error = await deliver({ key: 'fails', n: 1 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ShopError);
  expect(error).toMatchObject({ message: 'the shop is closed', code: '23505' });
  expect((error as Error).stack).toContain('CountedHandler.counted');
  expect(await service.rows('select id from item')).toEqual([]);
});

it('the handler is called by its class and method, for people', () => {
  expect(handlers.of('spec.Counted', 'spec.events').map(({ name }) => name)).toEqual([
    'CountedHandler.counted',
  ]);
  expect(handlers.topics()).toEqual(['spec.events']);
});

it('init hooks of the application run once', () => {
  expect(inits).toBe(1);
});

it('a plain @EventPattern is refused with the name of what to use', () => {
  const transport = new AuraTransport(
    async () => undefined,
    async () => undefined,
  );
  expect(() => transport.addHandler('spec.Counted', async () => undefined as never, true)).toThrow('@On');
});
