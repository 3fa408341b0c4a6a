import { randomUUID } from 'node:crypto';
import { UnitsOfWork, type Work } from '@aura/eventing';
import { silentLogger } from '@aura/platform';
import type { Answer, Ask, OutsideCall } from '@aura/saga';
import type { PaymentHold } from '@aura/schemas';
import { startService, type RunningService } from '@aura/service';
import { testDatabase, type TestDatabase } from '@aura/testing';
import { Pool, type Client } from 'pg';
import { PaymentMethods } from '../src/payment-methods.js';
import { PaymentParticipant } from '../src/payment.participant.js';
import { payments } from '../src/payments.js';
import { GuardedProvider, type GuardOptions } from '../src/provider/guarded-provider.js';
import type { Token } from '../src/simulator/behaviour.js';
import { SimulatedProvider, type SimulatorOptions } from '../src/simulator/simulated-provider.js';

export interface Fixture {
  readonly service: RunningService;
  readonly db: Client;
  /** A connection of its own, closed with the fixture. */
  connect(): Promise<Client>;
  /** Runs in one unit of work. */
  run<T>(fn: (work: Work) => Promise<T>): Promise<T>;
  /** A provider of its own over the same books. */
  provider(options?: Partial<SimulatorOptions>): SimulatedProvider;
  participant(provider: SimulatedProvider, guard?: Partial<GuardOptions>): PaymentParticipant;
  method(token: Token): Promise<string>;
  balances(): Promise<Record<string, number>>;
  books(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

/** The running service on a database of its own. */
export async function paymentsFixture(environment: Record<string, string> = {}): Promise<Fixture> {
  const [own, log] = [await testDatabase('payments'), await testDatabase('log')] as [
    TestDatabase,
    TestDatabase,
  ];
  const service = await startService({
    ...payments,
    logger: silentLogger,
    port: 0,
    environment: {
      AURA_DATABASE_URL: own.url,
      AURA_LOG_URL: log.url,
      AURA_CREATE_TOPICS: 'true',
      AURA_SERVICE_TOKEN_SECRET: 'only for this test, but long enough',
      ...environment,
    },
  });
  const db = await own.client();
  const providers: SimulatedProvider[] = [];
  const units = service.app.get(UnitsOfWork);
  return {
    service,
    db,
    connect: () => own.client(),
    run: (fn) => units.run(fn),
    provider(options = {}) {
      const pool = new Pool({ connectionString: own.url, max: 4 });
      const chance = { seed: 1, faultRate: 0 };
      const provider = new SimulatedProvider({ pool, chance, keyMemoryMs: 3_600_000, ...options });
      providers.push(provider);
      return provider;
    },
    participant: (provider, guard) =>
      new PaymentParticipant(
        service.app.get(PaymentMethods),
        new GuardedProvider(provider, { timeoutMs: 2_000, ...guard }),
      ),
    async method(token) {
      const response = await fetch(`${service.url}/payment-methods`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ kind: 'card', token, holderRef: 'customer-42' }),
      });
      return ((await response.json()) as { ref: string }).ref;
    },
    async balances() {
      const { rows } = await db.query<{ account: string; cents: string }>(
        'select account, balance_cents as cents from account_balance',
      );
      return Object.fromEntries(rows.map(({ account, cents }) => [account, Number(cents)]));
    },
    async books() {
      const { rows } = await db.query<Record<string, string>>('select * from provider.books');
      return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, value]) => [name, Number(value)]));
    },
    async close() {
      for (const provider of providers) await provider.close();
      await service.stop();
      await own.drop();
      await log.drop();
    },
  };
}

/** An ask for money, as a saga of checkout would have it. */
export function askFor(
  methodRef: string,
  input: Partial<PaymentHold> = {},
  withinMs = 60_000,
): Ask<PaymentHold> {
  return {
    sagaId: randomUUID(),
    branch: 'payment',
    coordinator: 'checkout',
    input: { amountCents: 4_990n, currency: 'EUR', methodRef, ...input },
    deadline: new Date(Date.now() + withinMs),
  };
}

export function outside(): OutsideCall {
  return { idempotencyKey: randomUUID(), signal: new AbortController().signal };
}

/** The accepted answer, or a failed test. */
export function accepted(answer: Answer | undefined): Answer & { accepted: true } {
  if (!answer?.accepted) throw new Error(`expected an accepted answer, got ${JSON.stringify(answer)}`);
  return answer;
}

/** What `late` may wait for: until it is opened, or the provider closes. */
export function gate(): { late: (signal: AbortSignal) => Promise<void>; open: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return {
    late: (signal) => {
      signal.addEventListener('abort', () => reject(new Error('closed')));
      return promise;
    },
    open: resolve,
  };
}
