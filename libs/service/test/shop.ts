// A service with events, for the tests of what operators see: an order is refused while its key is in `broken`.
import { defineEvent, type EventEnvelope, type EventType } from '@aura/contracts';
import { On, UnitsOfWork, type Work } from '@aura/eventing';
import { TerminalError } from '@aura/platform';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { SignJWT } from 'jose';
import { databaseModule, defineConfig, eventsModule, withEvents } from '../src/index.js';

interface OrderPlaced {
  readonly order: string;
  readonly n: number;
}

export const OrderPlaced: EventType<OrderPlaced> = defineEvent<OrderPlaced>({
  service: 'shop',
  version: 1,
  keyField: 'order',
  schema: {
    type: 'record',
    name: 'OrderPlaced',
    namespace: 'shop',
    doc: 'An order and its number.',
    fields: [
      { name: 'order', type: 'string' },
      { name: 'n', type: 'int' },
    ],
  },
});

export const TOPIC = 'shop.events';

@Controller('orders')
class OrdersController {
  constructor(private readonly units: UnitsOfWork) {}

  @Post()
  @HttpCode(202)
  async place(@Body() order: OrderPlaced): Promise<void> {
    await this.units.run(async (work) => work.raise(OrderPlaced.of(order)));
  }
}

@Controller()
class OrderHandler {
  @On(OrderPlaced)
  async placed({ payload: { order, n } }: EventEnvelope<OrderPlaced>, work: Work): Promise<void> {
    const found: unknown[] = await work.manager.query('select from broken where key = $1', [order]);
    if (found.length > 0) throw new TerminalError(`order ${order} is refused: mend the shelf`);
    await work.manager.query('insert into placed (key, n) values ($1, $2)', [order, n]);
  }
}

@Module({
  imports: [
    databaseModule({ entities: [], migrations: [] }),
    eventsModule({ publishes: [OrderPlaced], subscribes: [OrderPlaced] }),
  ],
  controllers: [OrdersController, OrderHandler],
})
class ShopModule {}

export const shop = { config: defineConfig('shop'), module: () => ShopModule, configure: withEvents };

export const SECRET = 'a-secret-of-thirty-two-characters-or-more';

export interface ShopDatabases {
  readonly environment: Readonly<Record<string, string>>;
  readonly database: TestDatabase;
  drop(): Promise<void>;
}

/** Databases for one shop, with its tables, and the settings with which it starts. */
export async function shopDatabases(): Promise<ShopDatabases> {
  const database = await testDatabase('shop');
  const log = await testDatabase('log');
  const client = await database.client();
  await client.query('create table broken (key text primary key)');
  await client.query('create table placed (id int generated always as identity, key text, n int)');
  return {
    environment: {
      AURA_DATABASE_URL: database.url,
      AURA_LOG_URL: log.url,
      AURA_CREATE_TOPICS: 'true',
      AURA_LOG_PARTITIONS: '4',
      AURA_SERVICE_TOKEN_SECRET: SECRET,
      AURA_DOCS: 'true',
    },
    database,
    async drop() {
      await Promise.all([database.drop(), log.drop()]);
    },
  };
}

/** What an operator's command line sends. */
export function operatorToken({
  issuer = 'operator:anna',
  audience = 'shop',
  secret = SECRET,
} = {}): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime('60 s')
    .sign(new TextEncoder().encode(secret));
}
