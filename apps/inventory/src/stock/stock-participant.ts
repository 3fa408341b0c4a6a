import type { Work } from '@aura/eventing';
import { ParticipantOf, prepared, refused, type Ask, type Participant, type Vote } from '@aura/saga';
import { StockHold } from '@aura/schemas';
import { Injectable } from '@nestjs/common';
import { allocate, totals } from '../domain/allocation.js';
import { basketProblem, type Line } from '../domain/basket.js';
import { connectionOf } from './connection.js';
import { endHolds, insertHolds } from './hold-rows.js';
import { holdPieces, lockOnHand, lockPieces, releasePieces, sellPieces } from './stock-rows.js';

type StockAsk = Ask<StockHold>;

/**
 * Puts pieces aside, sells what was put aside, or puts it back: a few statements for a whole unit of asks.
 *
 * An ask gets all of its lines or is refused as a whole: `sold-out`, `unknown-garment` or `bad-basket`, with
 * the first line that can't be served. Earlier asks come first; never more is given than is there. A hold
 * has no end of its own: it stands until `commit` or `cancel`.
 */
@ParticipantOf(StockHold)
@Injectable()
export class StockParticipant implements Participant<StockHold> {
  async lockAll(asks: readonly StockAsk[], work: Work): Promise<void> {
    await lockPieces(await connectionOf(work), wantedOf(asks));
  }

  async prepareAll(asks: readonly StockAsk[], work: Work): Promise<readonly Vote[]> {
    const db = await connectionOf(work);
    const baskets = asks.map(({ input }) => input.items);
    const { refusals, taken } = allocate(baskets, await lockOnHand(db, wantedOf(asks)));
    await holdPieces(db, taken);
    const holds = asks
      .filter((_, index) => refusals[index] === undefined)
      .map(({ sagaId, branch, input }) => ({ sagaId, branch, lines: input.items }));
    await insertHolds(db, holds, work.now);
    return refusals.map((refusal) => (refusal ? refused(refusal.code, refusal.reason) : prepared()));
  }

  async commitAll(asks: readonly StockAsk[], work: Work): Promise<void> {
    const db = await connectionOf(work);
    await sellPieces(db, totals(await endHolds(db, asks, 'SOLD', work.now)));
  }

  async cancelAll(asks: readonly StockAsk[], work: Work): Promise<void> {
    const db = await connectionOf(work);
    await releasePieces(db, totals(await endHolds(db, asks, 'RELEASED', work.now)));
  }

  async prepare(ask: StockAsk, work: Work): Promise<Vote> {
    const [vote] = await this.prepareAll([ask], work);
    return vote as Vote;
  }

  commit(ask: StockAsk, work: Work): Promise<void> {
    return this.commitAll([ask], work);
  }

  cancel(ask: StockAsk, work: Work): Promise<void> {
    return this.cancelAll([ask], work);
  }
}

/** What these asks are about, each SKU and size once. What is no basket is not looked for. */
function wantedOf(asks: readonly StockAsk[]): Line[] {
  const baskets = asks.map(({ input }) => input.items);
  return totals(baskets.filter((lines) => basketProblem(lines) === undefined).flat());
}
