/** Pure: what must hold of sagas once all is quiet (S1 to S6): one sentence for each that does not. */
import { askedBy } from './shop-saga.js';

export interface SagaRow {
  readonly id: string;
  readonly type: string;
  readonly phase: string;
  readonly code: string | null;
  readonly attention: string | null;
}

export interface BranchRow {
  readonly saga_id: string;
  readonly state: string;
}

export interface EffectRow {
  readonly saga_id: string;
  readonly what: string;
}

export interface ParticipantBooks {
  readonly branches: readonly BranchRow[];
  readonly effects: readonly EffectRow[];
  /** What its own conservation laws find broken. */
  readonly broken: readonly string[];
}

/** What the databases and the log say. */
export interface SagaBooks {
  readonly sagas: readonly SagaRow[];
  /** Sagas that the shop's own rows know, in the transaction of their start. */
  readonly purchases: readonly string[];
  readonly participants: Readonly<Record<string, ParticipantBooks>>;
  /** Sagas of which the log has these records. */
  readonly committedInLog: ReadonlySet<string>;
  readonly abortedInLog: ReadonlySet<string>;
  /** Letters, parked keys, tasks, events that are not published: in words. */
  readonly leftovers: readonly string[];
}

const COMMITTED = 'HELD, TAKEN';
const ABORTED = ['', 'GIVEN BACK, HELD'];

export function brokenLaws(books: SagaBooks): string[] {
  const { sagas, purchases, participants, committedInLog, abortedInLog, leftovers } = books;
  const known = new Map(sagas.map((saga) => [saga.id, saga]));
  const started = new Set(purchases);
  return [
    ...[...committedInLog]
      .filter((id) => abortedInLog.has(id))
      .map((id) => `S1: the log commits and aborts ${id}`),
    ...sagas.flatMap((saga) => ofSaga(saga, committedInLog, abortedInLog)),
    ...Object.entries(participants).flatMap(([name, of]) => ofParticipant(name, of, sagas, started)),
    ...purchases.filter((id) => !known.has(id)).map((id) => `S4: purchase ${id} has no saga`),
    ...sagas.filter(({ id }) => !started.has(id)).map(({ id }) => `S4: saga ${id} has no purchase`),
    ...leftovers,
  ];
}

function ofSaga(
  { id, phase, attention }: SagaRow,
  committed: ReadonlySet<string>,
  aborted: ReadonlySet<string>,
): string[] {
  if (phase !== 'COMMITTED' && phase !== 'ABORTED')
    return [
      `S6: saga ${id} is ${phase}, ${attention === null ? 'and nobody is told' : `flagged ${attention}`}`,
    ];
  const [same, other] = phase === 'COMMITTED' ? [committed, aborted] : [aborted, committed];
  return [
    ...(same.has(id) ? [] : [`S1: saga ${id} is ${phase}, and the log never said so`]),
    ...(other.has(id) ? [`S1: saga ${id} is ${phase}, and the log says otherwise`] : []),
  ];
}

function ofParticipant(
  name: string,
  { branches, effects, broken }: ParticipantBooks,
  sagas: readonly SagaRow[],
  started: ReadonlySet<string>,
): string[] {
  const states = new Map(branches.map(({ saga_id, state }) => [saga_id, state]));
  const done = Map.groupBy(effects, ({ saga_id }) => saga_id);
  const wrong = sagas.flatMap(({ id, type, phase }) => {
    const state = states.get(id) ?? 'absent';
    const what = (done.get(id) ?? [])
      .map((effect) => effect.what)
      .toSorted()
      .join(', ');
    const words = `${name} did "${what}" and is ${state} in saga ${id}, a ${type} that is ${phase}`;
    if (!askedBy(type).has(name)) return what === '' && state === 'absent' ? [] : [`S4: ${words}`];
    if (phase === 'COMMITTED') return what === COMMITTED && state === 'COMMITTED' ? [] : [`S2: ${words}`];
    if (phase !== 'ABORTED') return [];
    const ends = ['absent', 'REFUSED', 'CANCELLED', 'TOMBSTONE'];
    return ABORTED.includes(what) && ends.includes(state) ? [] : [`S3: ${words}`];
  });
  const unknown = [...done.keys()].filter((id) => !started.has(id));
  return [
    ...wrong,
    ...unknown.map((id) => `S4: ${name} has an effect of saga ${id}, which nobody started`),
    ...broken.map((words) => `S5: ${name}: ${words}`),
  ];
}
