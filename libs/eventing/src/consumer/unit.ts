/**
 * One unit: everything that arrived together, in one transaction. The order of its statements is the rule:
 *
 * N1 the first copy of each event id (H2), then the inbox: what it knows is dropped (E3, E7); then what is
 *    too old to judge is refused (low-water.ts);
 * N2 the parked keys, locked in a statement of their own behind the inbox insert (H13): not waited for in
 *    between, and so for all that arrived; what must wait becomes letters, but for what its handlers can do
 *    without (sparing.ts);
 * N3 the rows that handlers declared, one sorted statement per lock (H18);
 * N4 the handlers; after each the transaction is still healthy, or its name is known (H1);
 * N5 tasks, offsets under the epoch that is ours (E3), the count of letters, outbox, COMMIT: all of it, or
 *    nothing (E1, E8).
 */
import type { Span } from '@opentelemetry/api';
import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { TransientError } from '@aura/platform';
import { letterLimits, type LetterLimits } from '../letters/letter-limits.js';
import { countLetters, lockParked, park } from '../letters/letter-store.js';
import { putAside } from '../letters/parking.js';
import { UnitOfWork, type UnitOfWorkContext } from '../unit-of-work/unit-of-work.js';
import { firstCopies, lanesOf, type Delivery } from './delivery.js';
import type { Handlers } from './handlers.js';
import { handleAll } from './handling.js';
import { rememberNew } from './inbox.js';
import { refuseTooOld } from './low-water.js';
import { savePositions, type OwnedPosition } from './offsets.js';
import { putSpared, tellSpared } from './sparing.js';

const tracer = trace.getTracer('@aura/eventing');

export interface UnitContext {
  readonly group: string;
  readonly handlers: Handlers;
  readonly units: UnitOfWorkContext;
  readonly letters?: LetterLimits | undefined;
  /** A unit that wrote letters was committed. Must not throw. */
  readonly onParked?: (() => void) | undefined;
}

/** What became of the deliveries of one unit. */
export interface UnitOutcome {
  readonly applied: number;
  readonly duplicates: number;
  /** Letters: events that failed, and events that wait behind one. */
  readonly parked: number;
}

/**
 * Handles `deliveries` and saves `positions`, or does nothing at all and throws: `StaleOwnerError`, a
 * handler's error, or the database's. An error on a connection that broke is a `TransientError`, whatever
 * it looked like.
 */
export async function runUnit(
  unitContext: UnitContext,
  deliveries: readonly Delivery[],
  positions: readonly OwnedPosition[],
): Promise<UnitOutcome> {
  const attributes = {
    'messaging.consumer.group.name': unitContext.group,
    'messaging.batch.message_count': deliveries.length,
  };
  const span = tracer.startSpan('aura.unit', { root: true, attributes });
  try {
    return await context.with(trace.setSpan(ROOT_CONTEXT, span), () =>
      inTransaction(unitContext, deliveries, positions, span),
    );
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** True when the database takes a transaction now. */
export async function databaseAnswers(units: UnitOfWorkContext): Promise<boolean> {
  try {
    const unit = await UnitOfWork.begin(units);
    const answered = unit.client.query('select 1').then(
      () => true,
      () => false,
    );
    const ok = await answered;
    const sound = await unit.rollback(); // whatever it answered: the connection goes back, or is thrown away
    return ok && sound;
  } catch {
    // Why it does not answer was the error that made us ask.
    return false;
  }
}

/**
 * One transaction of a group, committed by `fn`; what it did not commit is rolled back. Throws what `fn`
 * threw, or a `TransientError` where the connection broke under it, whatever that looked like.
 */
export async function inUnit<T>(units: UnitOfWorkContext, fn: (unit: UnitOfWork) => Promise<T>): Promise<T> {
  return within(await taken(() => UnitOfWork.begin(units)), fn);
}

async function within<T>(unit: UnitOfWork, fn: (unit: UnitOfWork) => Promise<T>): Promise<T> {
  try {
    const result = await fn(unit);
    await unit.rollback();
    return result;
  } catch (error) {
    if (await unit.rollback()) throw error;
    throw new TransientError('the connection to the database broke during a unit', { cause: error });
  }
}

async function inTransaction(
  unitContext: UnitContext,
  deliveries: readonly Delivery[],
  positions: readonly OwnedPosition[],
  batch: Span,
): Promise<UnitOutcome> {
  const { group, units, onParked } = unitContext;
  const { outcome, tasks } = await within(await taken(() => UnitOfWork.connect(units)), async (unit) => {
    const applied = await apply(unit, unitContext, deliveries, batch);
    const { client } = unit;
    await unit.commit(`a unit of ${group}`, () => [
      savePositions(client, group, positions), // N5
      countLetters(client, group, applied.outcome.parked),
    ]);
    return applied;
  });
  if (tasks > 0) units.onCommitted({ events: 0, tasks });
  if (outcome.parked > 0) onParked?.();
  return outcome;
}

async function taken(take: () => Promise<UnitOfWork>): Promise<UnitOfWork> {
  try {
    return await take();
  } catch (cause) {
    throw new TransientError('no transaction could be begun: the database is away or its pool is exhausted', {
      cause,
    });
  }
}

async function apply(
  unit: UnitOfWork,
  { group, handlers, letters: limits }: UnitContext,
  deliveries: readonly Delivery[],
  batch: Span,
): Promise<{ readonly outcome: UnitOutcome; readonly tasks: number }> {
  const { client } = unit;
  const copies = firstCopies(deliveries); // N1
  const ids = copies.map(({ id }) => id);
  const [unknown, parked] = await unit.beginWith(() =>
    Promise.all([rememberNew(client, group, ids), lockParked(client, group, lanesOf(copies))]),
  );
  const unseen = copies.filter(({ id }) => unknown.has(id));
  const arrived = await refuseTooOld(client, group, unseen, unit.now);
  const duplicates = deliveries.length - arrived.length;
  if (arrived.length === 0) return { outcome: { applied: 0, duplicates, parked: 0 }, tasks: 0 };

  const { spared, others } = putSpared(arrived, handlers);
  const sorted = putAside(others, parked);
  const tasks =
    sorted.letters.length > 0 ? await park(client, group, sorted, letterLimits(limits), unit.now) : 0;
  await handleAll(unit, sorted.handle, handlers, group, batch); // N3, N4
  await tellSpared(unit, spared, handlers, group);
  return { outcome: { applied: sorted.handle.length, duplicates, parked: sorted.letters.length }, tasks };
}
