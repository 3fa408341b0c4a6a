import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor, fromColumns, toColumns, type Read, type SavedCursor } from './cursor.js';

const EMPTY: SavedCursor = { position: 0n, gaps: [], pending: [], acknowledged: [] };
const read = (positions: number[], xmin: number, cut = false): Read => ({
  positions: positions.map(BigInt),
  xmin: BigInt(xmin),
  cut,
});
const ranges = (cursor: Cursor): string[] => cursor.gaps.map((g) => `${g.first}-${g.last}`);

describe('gaps', () => {
  it('C2: remembers skipped positions as ranges and splits them by what is found', () => {
    const cursor = new Cursor(EMPTY);
    cursor.take(read([3, 4, 10], 5));
    expect(ranges(cursor)).toEqual(['1-2', '5-9']);
    cursor.note(100n);
    cursor.take(read([2, 5, 7, 9, 11], 5));
    expect(ranges(cursor)).toEqual(['1-1', '6-6', '8-8']);
  });

  it('C3, C4: forgets a gap when every transaction below its xid has ended, not before', () => {
    const cursor = new Cursor(EMPTY);
    cursor.take(read([3], 7));
    cursor.take(read([], 1_000));
    expect(ranges(cursor)).toEqual(['1-2']); // no xid was drawn yet
    cursor.note(9n);
    cursor.take(read([], 8));
    expect(ranges(cursor)).toEqual(['1-2']);
    cursor.take(read([], 9));
    expect(ranges(cursor)).toEqual([]);
  });

  it('C4, H25: a read that a limit has cut forgets only what lies before its last row', () => {
    const cursor = new Cursor({ ...EMPTY, position: 20n, gaps: [gap(1, 10), gap(12, 14), gap(16, 18)] });
    cursor.take(read([1, 2, 13], 50, true));
    expect(ranges(cursor)).toEqual(['14-14', '16-18']);
    cursor.take(read([], 50, true));
    expect(ranges(cursor)).toEqual(['14-14', '16-18']);
    cursor.take(read([], 50));
    expect(ranges(cursor)).toEqual([]);
  });

  it('holds xids of another cluster for nothing', () => {
    const cursor = new Cursor({ ...EMPTY, position: 20n, gaps: [gap(1, 10)] }, false);
    cursor.take(read([], 1_000_000));
    expect(cursor.unnoted).toBe(true);
    expect(ranges(cursor)).toEqual(['1-10']);
  });
});

describe('what is saved', () => {
  it('C5, E4: never passes a row that is not acknowledged', () => {
    const cursor = new Cursor(EMPTY);
    cursor.take(read([1, 2, 3, 4], 5));
    cursor.acknowledge('t', 0, 7n, [1n, 3n, 4n]);
    expect(cursor.saved()).toMatchObject({ position: 1n, pending: [] });
    cursor.acknowledge('t', 1, 9n, [2n]);
    expect(cursor.saved()).toMatchObject({ position: 4n, pending: [] });
    expect(cursor.saved().acknowledged).toEqual([
      {
        topic: 't',
        partition: 0,
        offset: 7n,
        position: 4n,
        partitions: undefined,
        lows: [{ offset: 5n, position: 1n }],
      },
      {
        topic: 't',
        partition: 1,
        offset: 9n,
        position: 2n,
        partitions: undefined,
        lows: [{ offset: 9n, position: 2n }],
      },
    ]);
  });

  it('C5: passes rows whose partition can not be reached, and names them', () => {
    const cursor = new Cursor(EMPTY);
    cursor.take(read([1, 2, 3], 5));
    cursor.acknowledge('t', 0, 7n, [1n, 3n]);
    cursor.hold([2n]);
    expect(cursor.saved()).toMatchObject({ position: 3n, pending: [2n] });
  });

  it('C6: what was pending is read again by the next leader', () => {
    const next = new Cursor({ ...EMPTY, position: 9n, gaps: [gap(7, 8)], pending: [3n, 5n] });
    expect(ranges(next)).toEqual(['3-3', '5-5', '7-8']);
    next.take(read([3, 5], 50));
    expect(next.saved()).toMatchObject({ position: 9n, pending: [3n, 5n] });
  });

  it('C6: what is held past the saved position is no gap of the next leader, who reads it there', () => {
    const cursor = new Cursor(EMPTY);
    cursor.take(read([1, 2, 5], 9));
    cursor.note(10n);
    cursor.hold([5n]);
    expect(cursor.saved()).toMatchObject({ position: 0n, gaps: [], pending: [] });
    cursor.settle([1n]);
    expect(cursor.saved()).toMatchObject({ position: 1n, gaps: [], pending: [] });
    cursor.settle([2n]);
    expect(cursor.saved()).toMatchObject({ position: 5n, gaps: [{ first: 3n, last: 4n }], pending: [5n] });
  });

  it('C6: a pending position past the saved one, as earlier releases wrote it, is read once', () => {
    const next = new Cursor({ ...EMPTY, position: 4n, pending: [3n, 10n] });
    expect(ranges(next)).toEqual(['3-3']);
  });

  it('survives its columns, also past 2^53', () => {
    const saved: SavedCursor = {
      position: 2n ** 62n,
      gaps: [gap(3, 5), { first: 7n, last: 2n ** 60n, xid: undefined }],
      pending: [2n ** 61n],
      acknowledged: [
        {
          topic: 't',
          partition: 3,
          offset: 2n ** 55n,
          position: 2n ** 56n,
          partitions: 12,
          lows: [{ offset: 2n ** 54n, position: 2n ** 55n }],
        },
      ],
    };
    expect(fromColumns(JSON.parse(JSON.stringify(toColumns(saved))))).toEqual(saved);
  });
});

function gap(first: number, last: number): { first: bigint; last: bigint; xid: bigint } {
  return { first: BigInt(first), last: BigInt(last), xid: 1n };
}

/**
 * What may happen beside the relay. A transaction holds its key's lock until it ends, so the key has a
 * commit order.
 */
type WorldStep = { kind: 'begin'; key: number } | { kind: 'insert' | 'commit' | 'rollback'; tx: number };
type Step =
  | WorldStep
  | { kind: 'read'; limit: number; beforeNote: WorldStep[] }
  | { kind: 'acknowledge'; share: number }
  | { kind: 'hold'; share: number }
  | { kind: 'save' }
  | { kind: 'crash' };

interface Tx {
  readonly xid: bigint;
  readonly key: number;
  readonly rows: bigint[];
  state: 'running' | 'committed' | 'rolled back';
}

/**
 * Postgres as far as the cursor sees it: xids, positions, snapshots; and a relay that crashes and saves
 * when told.
 */
class World {
  readonly txs: Tx[] = [];
  readonly sent: bigint[] = [];
  readonly keyOf = new Map<bigint, number>();
  #nextXid = 10n;
  #nextPosition = 1n;
  #saved: SavedCursor = EMPTY;
  #cursor = new Cursor(EMPTY);
  #unacknowledged: bigint[] = [];

  beside(step: WorldStep): void {
    if (step.kind === 'begin') {
      const locked = this.txs.some((tx) => tx.state === 'running' && tx.key === step.key);
      if (!locked) this.txs.push({ xid: this.#nextXid++, key: step.key, rows: [], state: 'running' });
      return;
    }
    const running = this.txs.filter((tx) => tx.state === 'running');
    const tx = running[step.tx % Math.max(1, running.length)];
    if (!tx) return;
    if (step.kind === 'insert') {
      this.keyOf.set(this.#nextPosition, tx.key);
      tx.rows.push(this.#nextPosition++);
    } else tx.state = step.kind === 'commit' ? 'committed' : 'rolled back';
  }

  read(limit: number, beforeNote: WorldStep[] = []): boolean {
    const running = this.txs.filter((tx) => tx.state === 'running').map((tx) => tx.xid);
    const xmin = running[0] ?? this.#nextXid;
    const inReach = (p: bigint): boolean =>
      p > this.#cursor.position || this.#cursor.gaps.some((g) => p >= g.first && p <= g.last);
    const positions = this.#committed().filter(inReach).slice(0, limit);
    this.#cursor.take({ positions, xmin, cut: positions.length >= limit });
    this.expectApart();
    this.sent.push(...positions);
    this.#unacknowledged.push(...positions);
    for (const step of beforeNote) this.beside(step);
    if (this.#cursor.unnoted) this.#cursor.note(this.#nextXid++);
    return positions.length > 0;
  }

  /** As the lanes do it: whole keys, so never a record before an earlier one of its key. */
  acknowledge(share: number): void {
    const done = this.#unacknowledged.filter((p) => (this.keyOf.get(p) ?? 0) < share);
    this.#unacknowledged = this.#unacknowledged.filter((p) => !done.includes(p));
    this.#cursor.acknowledge('t', 0, 0n, done);
  }

  hold(share: number): void {
    this.#cursor.hold(this.#unacknowledged.filter((p) => (this.keyOf.get(p) ?? 0) >= share));
  }

  save(): void {
    this.#saved = fromColumns(toColumns(this.#cursor.saved()));
  }

  /** What was sent and not acknowledged may never have arrived. */
  crash(): void {
    for (const position of this.#unacknowledged) this.sent.splice(this.sent.lastIndexOf(position), 1);
    this.#unacknowledged = [];
    this.#cursor = new Cursor(this.#saved);
  }

  /** All transactions end, and the relay gets its time. */
  finish(): void {
    for (const tx of this.txs) if (tx.state === 'running') tx.state = 'rolled back';
    while (this.read(1_000));
    this.read(1_000);
  }

  /** In order, and none past the position: a row in two of them would be read, and published, twice. */
  expectApart(): void {
    const ends = this.#cursor.gaps.flatMap(({ first, last }) => [first, last]);
    expect(ends).toEqual(ends.toSorted((a, b) => Number(a - b)));
    expect(Number(ends.at(-1) ?? -1n)).toBeLessThan(Number(this.#cursor.position) + 1);
  }

  get gaps(): number {
    return this.#cursor.gaps.length;
  }

  #committed(): bigint[] {
    const rows = this.txs.filter((tx) => tx.state === 'committed').flatMap((tx) => tx.rows);
    return rows.toSorted((a, b) => (a < b ? -1 : 1));
  }

  committed = (): bigint[] => this.#committed();
}

const worldStep: fc.Arbitrary<WorldStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('begin' as const), key: fc.nat(4) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('insert' as const), tx: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), tx: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const), tx: fc.nat(5) }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: worldStep },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      limit: fc.integer({ min: 1, max: 8 }),
      beforeNote: fc.array(worldStep, { maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), share: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hold' as const), share: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'save' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'crash' }) },
);

function perform(world: World, s: Step): void {
  if (s.kind === 'read') world.read(s.limit, s.beforeNote);
  else if (s.kind === 'acknowledge') world.acknowledge(s.share);
  else if (s.kind === 'hold') world.hold(s.share);
  else if (s.kind === 'save') world.save();
  else if (s.kind === 'crash') world.crash();
  else world.beside(s);
}

describe('against a model of Postgres', () => {
  it('E1, E2, E8: whatever commits, rolls back, is cut or crashes: nothing lost, keys in order', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
        const world = new World();
        for (const s of steps) perform(world, s);
        world.finish();
        const committed = world.committed();
        const firstSent = [...new Set(world.sent)];
        expect(firstSent.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(committed);
        for (let key = 0; key <= 4; key++) {
          const ofKey = (positions: bigint[]): bigint[] =>
            positions.filter((p) => world.keyOf.get(p) === key);
          expect(ofKey(firstSent)).toEqual(ofKey(committed));
        }
        expect(world.gaps).toBe(0);
      }),
      { numRuns: 1_500 },
    );
  });
});
