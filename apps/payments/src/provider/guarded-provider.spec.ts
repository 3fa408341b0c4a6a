import { describe, expect, it } from 'vitest';
import { GuardedProvider, type GuardOptions } from './guarded-provider.js';
import { ProviderRefusedError, ProviderUnavailableError, type PaymentProvider } from './payment-provider.js';

type Look = PaymentProvider['lookUp'];

const never = (): Promise<never> => Promise.reject(new Error('not asked here'));

/** Somebody outside of whom only look-ups are asked here. */
function guarded(lookUp: Look, options: Partial<GuardOptions> = {}): PaymentProvider {
  const unasked = { authorise: never, capture: never, void: never, refund: never, lookUpRefund: never };
  const provider = { ...unasked, lookUp };
  return new GuardedProvider(provider, { timeoutMs: 1_000, ...options });
}

const signal = new AbortController().signal;
const silence = (): Promise<never> => new Promise(() => undefined);
const refusedConnection = (): Promise<never> => Promise.reject(new ProviderUnavailableError('nobody'));

describe('the guard around the provider', () => {
  it('tries once more, within its time limit, and says then that nothing is known', async () => {
    let tries = 0;
    const told: number[] = [];
    const slow = guarded(() => (++tries === 1 ? silence() : Promise.resolve(undefined)), {
      timeoutMs: 5,
      onAgain: (afterMs) => told.push(afterMs),
    });
    expect(await slow.lookUp('r', signal)).toBeUndefined();
    expect([tries, told]).toEqual([2, [expect.any(Number)]]);
    const away = guarded(() => (tries++, refusedConnection()));
    await expect(away.lookUp('r', signal)).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect(tries).toBe(4);
  });

  it('a refusal is final: neither tried again nor a reason to stop asking', async () => {
    let asked = 0;
    const refusing = guarded(() => (asked++, Promise.reject(new ProviderRefusedError('voided', 'no'))), {
      breakAfter: 2,
    });
    for (let n = 0; n < 5; n++)
      await expect(refusing.lookUp('r', signal)).rejects.toBeInstanceOf(ProviderRefusedError);
    expect(asked).toBe(5);
  });

  it('asks one who is away no more for a while, and then again', async () => {
    let asked = 0;
    let isAway = true;
    const away = guarded(() => (asked++, isAway ? refusedConnection() : Promise.resolve(undefined)), {
      retries: 0,
      breakAfter: 3,
      breakMs: 20,
    });
    for (let n = 0; n < 10; n++)
      await expect(away.lookUp('r', signal)).rejects.toBeInstanceOf(ProviderUnavailableError);
    expect(asked).toBeLessThan(10);
    isAway = false;
    await expect.poll(() => away.lookUp('r', signal).then(() => 'answered')).toBe('answered');
  });

  it('lets so many ask at a time and so many wait, and sends nothing of the others', async () => {
    let asked = 0;
    const opened = Promise.withResolvers<undefined>();
    const busy = guarded(() => (asked++, opened.promise), { atOnce: 2, waiting: 2 });
    const all = Array.from({ length: 6 }, () =>
      busy.lookUp('r', signal).then(
        () => 'done',
        (error: Error) => error,
      ),
    );
    const refused = await Promise.race(all.slice(4));
    expect(refused).toBeInstanceOf(ProviderUnavailableError);
    expect(asked).toBe(2);
    opened.resolve(undefined);
    expect((await Promise.all(all)).filter((outcome) => outcome === 'done')).toHaveLength(4);
  });
});
