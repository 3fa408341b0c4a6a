/** The participant in its database does, branch by branch, what the pure barrier says. */
import type { EventEnvelope } from '@aura/contracts';
import { seeded } from '@aura/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { barrier, stateAfter, type BarrierAsk, type BarrierState } from '../src/barrier.js';
import {
  prepared,
  refused,
  type Ask,
  type ExternalParticipant,
  type Participant,
  type Vote,
} from '../src/participant/participant.js';
import {
  again,
  Charge,
  Hold,
  Pack,
  participantFixture,
  Rent,
  SagaOf,
  Ship,
  type ParticipantFixture,
  type Wanted,
} from './participant-fixture.js';
import { short } from './participant-words.js';

const KINDS = [Hold, Rent, Pack, Ship, Charge];
const SAGAS = 2_500;
const RUNS = 10;

/** Says yes for 1 piece, no for 0; throws for the sagas that are given, and knows what it did. */
class Scripted implements Participant<Wanted> {
  failing = new Set<string>();
  prepare(ask: Ask<Wanted>): Promise<Vote> {
    return this.prepareAll([ask]).then(([vote]) => vote as Vote);
  }
  prepareAll(asks: readonly Ask<Wanted>[]): Promise<Vote[]> {
    return Promise.resolve(asks.map(({ input }) => (input.pieces > 0 ? prepared() : refused('no', 'no'))));
  }
  commit(ask: Ask<Wanted>): Promise<void> {
    return this.commitAll([ask]);
  }
  commitAll(asks: readonly Ask<Wanted>[]): Promise<void> {
    if (asks.some(({ sagaId }) => this.failing.has(sagaId))) return Promise.reject(new Error('not now'));
    return Promise.resolve();
  }
  cancel(ask: Ask<Wanted>): Promise<void> {
    return this.commitAll([ask]);
  }
  cancelAll(asks: readonly Ask<Wanted>[]): Promise<void> {
    return this.commitAll(asks);
  }
}

const never = (): Promise<never> => Promise.reject(new Error('no task runs here'));

let scripted: Scripted;
let service: ParticipantFixture;
beforeAll(async () => {
  scripted = new Scripted();
  const outside: ExternalParticipant<Wanted> = {
    call: never,
    lookUp: never,
    release: never,
    prepare: never,
    commit: never,
    cancel: never,
  };
  service = await participantFixture(
    KINDS.map((type) => ({ type, participant: type === Charge ? outside : scripted })),
  );
});
afterAll(() => service.close());

interface Model {
  readonly saga: SagaOf;
  readonly type: (typeof KINDS)[number];
  readonly yes: boolean;
  readonly late: boolean;
  state: BarrierState | undefined;
  /** Whether the row says no: what a repeated vote is. */
  readonly said: string[];
}

/** The model's own step: the barrier, folded. */
function fold(model: Model, phase: BarrierAsk['phase'], failed: boolean): void {
  const { kind } = model.type;
  if (kind === 'retriable' && phase === 'commit' && model.state === undefined) return; // it has no input
  const asks = phase === 'prepare' && kind === 'retriable' ? 'commit' : phase;
  const ask: BarrierAsk = asks === 'prepare' ? { phase: asks, late: model.late } : { phase: asks };
  const action = barrier(kind, model.state, ask);
  const before = model.state;
  model.state = stateAfter(kind, action, { yes: model.yes, failed }) ?? before;
  const answer = answerOf(model, action, failed);
  if (answer) model.said.push(answer);
}

function answerOf(
  { late, yes, type }: Model,
  action: ReturnType<typeof barrier>,
  failed: boolean,
): string | undefined {
  const vote = (no: string): string => (late || !yes ? `REFUSED ${no}` : 'PREPARED');
  switch (action.do) {
    case 'prepare':
      return type === Charge ? undefined : vote('no');
    case 'answer-vote':
      return vote(late ? 'late' : 'no');
    case 'refuse':
      return 'REFUSED late';
    case 'refuse-cancelled':
      return 'REFUSED cancelled';
    case 'commit':
      return failed ? undefined : 'COMMITTED';
    case 'cancel':
      return failed || type === Charge ? undefined : 'CANCELLED';
    case 'bury':
      return 'NEVER_RAN';
    case 'answer-committed':
      return 'COMMITTED';
    case 'answer-cancelled':
      return action.ran ? 'CANCELLED' : 'NEVER_RAN';
    default:
      return undefined;
  }
}

const MINUTE_MS = 60_000;

it('rows and answers are those of the barrier, for thousands of histories in sets', async () => {
  const random = seeded('barrier in SQL');
  const models = Array.from({ length: SAGAS }, (): Model => {
    const late = random.chance(0.15);
    const saga = new SagaOf('shop', new Date(Date.now() + (late ? -MINUTE_MS : 10 * MINUTE_MS)));
    return { saga, type: random.pick(KINDS), yes: random.chance(0.7), late, state: undefined, said: [] };
  });
  for (let run = 0; run < RUNS; run++) {
    const failing = random.chance(0.3) ? models.filter(() => random.chance(0.05)) : [];
    scripted.failing = new Set(failing.map(({ saga }) => saga.id));
    const asked = random.shuffle([...models, ...models.filter(() => random.chance(0.2))]);
    const taken = asked.slice(0, 1_000).map((model) => {
      const phase = random.pick(['prepare', 'prepare', 'commit', 'cancel'] as const);
      fold(model, phase, scripted.failing.has(model.saga.id));
      return eventOf(model, phase, random.chance(0.5));
    });
    await service.deliver(...taken);
  }
  expect(models.filter(({ state }) => state !== undefined).length).toBeGreaterThan(SAGAS * 0.9);
  const rows = await service.rows<{ id: string; state: string }>(
    'select saga_id as id, state from aura.branch',
  );
  const states = new Map(rows.map(({ id, state }) => [id, state]));
  const answers = Map.groupBy(await service.answers(), ({ sagaId }) => sagaId);
  for (const { saga, type, state, said } of models) {
    const heard = (answers.get(saga.id) ?? []).map(short);
    expect({ id: saga.id, type: type.name, state: states.get(saga.id), heard }).toEqual({
      id: saga.id,
      type: type.name,
      state,
      heard: said,
    });
  }
}, 60_000);

/** A decision comes in two ways. */
function eventOf({ saga, type, yes }: Model, phase: BarrierAsk['phase'], repeated: boolean): EventEnvelope {
  const branch = { branch: 'it', type };
  if (phase === 'prepare') {
    const ask = { ...branch, input: { sku: 'x', pieces: yes ? 1 : 0 } };
    return again(repeated ? saga.asked(ask) : saga.started(ask));
  }
  if (repeated) return saga.repeated(branch, phase === 'commit' ? 'COMMITTED' : 'ABORTED');
  return phase === 'commit' ? saga.committed(branch) : saga.aborted(branch);
}
