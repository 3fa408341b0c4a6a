import type { Work } from '@aura/eventing';
import { ParticipantOf, prepared, refused, type Ask, type Participant, type Vote } from '@aura/saga';
import { Restock } from '@aura/schemas';
import { Injectable } from '@nestjs/common';
import { totals } from '../domain/allocation.js';
import { basketProblem, type Line } from '../domain/basket.js';
import { judgeReturns, returnedTotals, type Returned } from '../domain/returning.js';
import { connectionOf } from './connection.js';
import { endRestocks, giveAgain, insertRestocks, soldIn, takeBack } from './restock-rows.js';
import { lockPieces, offerPieces, restockPieces, unstockPieces } from './stock-rows.js';

type RestockAsk = Ask<Restock>;

/**
 * Takes pieces of a purchase back into stock, at once; offers them when the return is decided, or takes them
 * out again, as if they had never come: nobody could buy them meanwhile, so that is always possible.
 *
 * A return gets all of its lines or is refused as a whole: domain/returning.ts says why.
 */
@ParticipantOf(Restock)
@Injectable()
export class RestockParticipant implements Participant<Restock> {
  async lockAll(asks: readonly RestockAsk[], work: Work): Promise<void> {
    await lockPieces(await connectionOf(work), piecesOf(asks));
  }

  async prepareAll(asks: readonly RestockAsk[], work: Work): Promise<readonly Vote[]> {
    const db = await connectionOf(work);
    const returns = asks.map(({ input }) => input);
    const sold = await soldIn(
      db,
      returns.map(({ purchaseId }) => purchaseId),
    );
    const refusals = judgeReturns(returns, sold);
    const served = asks.filter((_, index) => refusals[index] === undefined);
    const back = returnedTotals(served.map(({ input }) => input));
    await takeBack(db, back);
    await restockPieces(db, totals(back));
    await insertRestocks(
      db,
      served.map(({ sagaId, branch, input }) => ({ sagaId, branch, ...input })),
      work.now,
    );
    return refusals.map((refusal) => (refusal ? refused(refusal.code, refusal.reason) : prepared()));
  }

  async commitAll(asks: readonly RestockAsk[], work: Work): Promise<void> {
    const db = await connectionOf(work);
    await offerPieces(db, linesOf(await endRestocks(db, asks, 'OFFERED', work.now)));
  }

  async cancelAll(asks: readonly RestockAsk[], work: Work): Promise<void> {
    const db = await connectionOf(work);
    const undone = await endRestocks(db, asks, 'UNDONE', work.now);
    await giveAgain(db, returnedTotals(undone));
    await unstockPieces(db, linesOf(undone));
  }

  async prepare(ask: RestockAsk, work: Work): Promise<Vote> {
    await this.lockAll([ask], work);
    const [vote] = await this.prepareAll([ask], work);
    return vote as Vote;
  }

  async commit(ask: RestockAsk, work: Work): Promise<void> {
    await this.lockAll([ask], work);
    await this.commitAll([ask], work);
  }

  async cancel(ask: RestockAsk, work: Work): Promise<void> {
    await this.lockAll([ask], work);
    await this.cancelAll([ask], work);
  }
}

function linesOf(returns: readonly Returned[]): Line[] {
  return totals(returns.flatMap(({ items }) => items));
}

/** What these asks are about, each SKU and size once. What is no list of pieces is not looked for. */
function piecesOf(asks: readonly RestockAsk[]): Line[] {
  return linesOf(asks.map(({ input }) => input).filter(({ items }) => basketProblem(items) === undefined));
}
