import type { Answer, Ask, OutsideCall } from '@aura/saga';
import type { PaymentHold } from '@aura/schemas';
import { seeded, settled } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PaymentParticipant } from '../src/payment.participant.js';
import { TOKEN_NAMES, type Token } from '../src/simulator/behaviour.js';
import { askFor, gate, outside, paymentsFixture, type Fixture } from './payments-service.js';

let payments: Fixture;
beforeAll(async () => {
  // The capture tasks meet the service's own provider: impatient as well, and forgetful.
  payments = await paymentsFixture({ AURA_PROVIDER_TIMEOUT_MS: '1000', AURA_SIMULATOR_KEY_MEMORY_MS: '200' });
});
afterAll(() => payments.close());

const PATIENT_MS = 150_000;

it(
  'H16: whatever the provider does, nothing is held for ever: its books and the ledger agree',
  async () => {
    const random = seeded('payments');
    const refs = TOKEN_NAMES.map(async (token) => [token, await payments.method(token)] as const);
    const methods = Object.fromEntries(await Promise.all(refs)) as Record<Token, string>;
    const { late, open } = gate();
    const chance = { seed: random.int(2 ** 31), faultRate: 0.5 };
    const provider = payments.provider({ slowMs: 10, late, chance });
    const participant = payments.participant(provider, { timeoutMs: 200, breakAfter: 1_000 });
    const outcomes = { captured: 0, cancelled: 0, refused: 0, unknown: 0 };
    await Promise.all(
      Array.from({ length: 80 }, async () => {
        const [ask, call] = [askFor(methods[random.pick(TOKEN_NAMES)], {}, 2_500), outside()];
        const commits = random.chance(0.6);
        const answer = await known(participant, ask, call, () => {
          outcomes.unknown++;
          open();
        });
        outcomes[answer?.accepted ? (commits ? 'captured' : 'cancelled') : 'refused']++;
        if (!answer?.accepted) return;
        await payments.run((work) => participant.prepare(ask, answer, work));
        await payments.run((work) =>
          commits ? participant.commit(ask, work) : participant.cancel(ask, work),
        );
        if (!commits) await settled('released', () => participant.release(ask, call).then(() => true));
      }),
    );
    // One that fails eight times in a row, as one in 256 does here, waits half a minute for its next try.
    const isConfirmed = async (): Promise<boolean> => (await payments.balances())['due'] === 0;
    await settled('all that was captured is confirmed', isConfirmed, { withinMs: PATIENT_MS });
    const { captured, cancelled, refused, unknown } = outcomes;
    expect(await payments.balances()).toEqual({
      cards: -cents(captured),
      held: 0,
      due: 0,
      receivable: cents(captured),
    });
    expect(await payments.books()).toMatchObject({
      authorised_cents: cents(captured + cancelled),
      captured_cents: cents(captured),
      voided_cents: cents(cancelled),
      open_cents: 0,
      overtaken: 0,
    });
    // Or nothing was shown.
    expect(Math.min(captured, cancelled, refused, unknown)).toBeGreaterThan(0);
  },
  2 * PATIENT_MS,
);

const cents = (count: number): number => count * 4_990;

/**
 * As the saga's machinery does it: what is unknown is looked up, called again with the same key before the
 * deadline, and over after it.
 */
async function known(
  participant: PaymentParticipant,
  ask: Ask<PaymentHold>,
  call: OutsideCall,
  onUnknown: () => void,
): Promise<Answer | undefined> {
  const first = await participant.call(ask, call).catch(onUnknown);
  if (first) return first;
  const [answer] = await settled('known', async () => {
    const isOver = Date.now() > ask.deadline.getTime();
    const found = await participant.lookUp(ask, call);
    if (found || isOver) return [found];
    return [await participant.call(ask, call)];
  });
  return answer;
}
