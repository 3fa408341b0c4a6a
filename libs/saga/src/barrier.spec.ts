import { BRANCH_KINDS, type BranchKind } from '@aura/contracts';
import { seeded, type Seeded } from '@aura/testing';
import { describe, expect, it } from 'vitest';
import { barrier, BARRIER_STATES, stateAfter, type BarrierAsk, type BarrierState } from './barrier.js';

type Row = readonly [
  state: BarrierState | undefined,
  prepare: string,
  late: string,
  commit: string,
  cancel: string,
];

/** What becomes of every ask in every state of a reservable branch. */
const TABLE: readonly Row[] = [
  [undefined, 'prepare', 'refuse', 'alarm', 'bury'],
  ['CALLING', 'nothing', 'nothing', 'alarm', 'stop-call'],
  ['STOPPING', 'refuse-cancelled', 'refuse-cancelled', 'alarm', 'nothing'],
  ['PREPARED', 'answer-vote', 'answer-vote', 'commit', 'cancel'],
  ['REFUSED', 'answer-vote', 'answer-vote', 'alarm', 'answer-cancelled false'],
  ['COMMITTING', 'answer-vote', 'answer-vote', 'nothing', 'alarm'],
  ['COMMITTED', 'answer-vote', 'answer-vote', 'answer-committed', 'alarm'],
  ['CANCELLING', 'answer-vote', 'answer-vote', 'alarm', 'nothing'],
  ['RELEASING', 'answer-vote', 'answer-vote', 'alarm', 'nothing'],
  ['CANCELLED', 'answer-vote', 'answer-vote', 'alarm', 'answer-cancelled true'],
  ['TOMBSTONE', 'refuse-cancelled', 'refuse-cancelled', 'alarm', 'answer-cancelled false'],
];

/** Where a kind is not as a reservable one. */
const APART: Partial<Record<BranchKind, Partial<Record<string, Partial<Record<string, string>>>>>> = {
  retriable: {
    '*': { prepare: 'alarm', late: 'alarm' },
    none: { commit: 'commit' },
  },
  pivot: {
    CALLING: { cancel: 'nothing' },
    PREPARED: { cancel: 'answer-vote' },
    COMMITTING: { cancel: 'answer-vote' },
    COMMITTED: { cancel: 'answer-vote' },
  },
};

const ASKS: readonly (readonly [name: string, ask: BarrierAsk])[] = [
  ['prepare', { phase: 'prepare', late: false }],
  ['late', { phase: 'prepare', late: true }],
  ['commit', { phase: 'commit' }],
  ['cancel', { phase: 'cancel' }],
];

const done = (kind: BranchKind, state: BarrierState | undefined, ask: BarrierAsk): string => {
  const action = barrier(kind, state, ask);
  return action.do === 'answer-cancelled' ? `${action.do} ${action.ran}` : action.do;
};

describe.each(BRANCH_KINDS)('a %s branch', (kind) => {
  it.each(TABLE)('%s', (state, ...expected) => {
    const apart = APART[kind];
    const wanted = ASKS.map(
      ([name], i) => apart?.[state ?? 'none']?.[name] ?? apart?.['*']?.[name] ?? expected[i],
    );
    expect(ASKS.map(([, ask]) => done(kind, state, ask))).toEqual(wanted);
  });
});

it('knows every state', () => {
  expect(new Set(TABLE.map(([state]) => state))).toEqual(new Set([undefined, ...BARRIER_STATES]));
});

/** What happened to the world, and what was said, in one history of one branch. */
interface World {
  readonly kind: BranchKind;
  /** Its prepare asks somebody outside. */
  readonly calls: boolean;
  state: BarrierState | undefined;
  /** Effects: `prepared`, `committed`, `undone`. */
  readonly effects: string[];
  readonly said: string[];
  yes: boolean | undefined;
  buried: boolean;
}

/** Any ask at any time, as often as it likes: duplicates, late ones, wrong orders. */
function step(world: World, random: Seeded): void {
  const [, ask] = random.pick(ASKS);
  const { kind, calls, effects, said } = world;
  if (world.state === 'COMMITTING' || world.state === 'CANCELLING') {
    if (random.chance(0.5)) work(world);
  } else if (world.state === 'CALLING' || world.state === 'STOPPING' || world.state === 'RELEASING') {
    if (random.chance(0.5)) outside(world, random);
  }
  const action = barrier(kind, world.state, ask);
  const yes = random.chance(0.7);
  const outcome = { ...(calls ? {} : { yes }), failed: random.chance(0.2) };
  if (action.do === 'bury') world.buried = true;
  if (action.do === 'prepare' && !calls) {
    world.yes = yes;
    if (yes) effects.push('prepared');
    said.push(yes ? 'yes' : 'no');
  }
  if (action.do === 'refuse') world.yes = false;
  if ((action.do === 'commit' || action.do === 'cancel') && !outcome.failed) effects.push(ended(action.do));
  if (action.do === 'answer-vote') said.push(world.yes ? 'yes' : 'no');
  if (action.do === 'refuse' || action.do === 'refuse-cancelled') said.push('no');
  world.state = stateAfter(kind, action, outcome) ?? world.state;
}

const ended = (did: 'commit' | 'cancel'): string => (did === 'commit' ? 'committed' : 'undone');

/** The task of a commit or a cancel that threw. */
function work(world: World): void {
  const commits = world.state === 'COMMITTING';
  world.effects.push(ended(commits ? 'commit' : 'cancel'));
  const cancelled = world.kind === 'external' ? 'RELEASING' : 'CANCELLED';
  world.state = commits ? 'COMMITTED' : cancelled;
}

/** The task of a call or a release. */
function outside(world: World, random: Seeded): void {
  if (world.state === 'CALLING') {
    world.yes = random.chance(0.7);
    if (world.yes) world.effects.push('prepared');
    world.said.push(world.yes ? 'yes' : 'no');
    world.state = world.yes ? 'PREPARED' : 'REFUSED';
  } else world.state = world.state === 'STOPPING' ? 'TOMBSTONE' : 'CANCELLED';
}

describe('B1 to B6 hold in every history', () => {
  const random = seeded('barrier');
  it.each(BRANCH_KINDS)('of a %s branch', (kind) => {
    for (let i = 0; i < 4_000; i++) {
      const calls = kind === 'external' || (kind === 'pivot' && i % 2 === 0);
      const fresh = { effects: [], said: [], yes: undefined, buried: false };
      const world: World = { kind, calls, state: undefined, ...fresh };
      const length = 1 + random.int(14);
      for (let n = 0; n < length; n++) step(world, random);
      const { effects, said, buried } = world;
      const count = (effect: string): number => effects.filter((e) => e === effect).length;
      const found = JSON.stringify(world);
      expect(count('prepared'), found).toBeLessThanOrEqual(1); // B1
      if (buried) expect(effects, found).toEqual([]); // B1
      expect(count('committed') + count('undone'), found).toBeLessThanOrEqual(1); // B3, B5
      if (kind !== 'retriable') {
        const first = effects[0];
        expect([undefined, 'prepared'], found).toContain(first); // B3
      }
      if (kind === 'pivot') expect(count('undone'), found).toBe(0); // B6
      // B2, B4: whatever was said first is said again. A call that was told to stop never spoke.
      expect(new Set(said).size, found).toBeLessThanOrEqual(1);
    }
  });
});
