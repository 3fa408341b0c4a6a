import type { Work } from '@aura/eventing';
import { InvariantError } from '@aura/platform';
import { ParticipantOf, type Ask, type Participant, type Vote } from '@aura/saga';
import { PurchaseReturned, ReturnNotice as ReturnNoticeBranch } from '@aura/schemas';
import { Injectable } from '@nestjs/common';
import { ReturnNotice } from './entities/return-notice.entity.js';

type Asked = Ask<ReturnNoticeBranch>;

/**
 * Tells the buyer that a return went through: a row that the page of the purchase shows, and the event
 * `PurchaseReturned`. Retriable: it comes after the decision, can't refuse, and takes effect once.
 */
@Injectable()
@ParticipantOf(ReturnNoticeBranch)
export class ReturnNoticeParticipant implements Participant<ReturnNoticeBranch> {
  async commit({ sagaId: returnId, branch, input }: Asked, work: Work): Promise<void> {
    const { purchaseId, items, refundCents, currency } = input;
    const notice = { purchaseId, items, refundCents, currency, noticedAt: work.now };
    await work.manager.insert(ReturnNotice, { returnId, branch, ...notice, items: [...items] });
    work.raise(PurchaseReturned.of({ returnId, ...notice }));
  }

  /** Never asked of a retriable branch, as `cancel`. */
  prepare({ sagaId }: Asked): Promise<Vote> {
    return Promise.reject(new InvariantError(`the notice of return ${sagaId} comes after its decision only`));
  }

  cancel({ sagaId }: Asked): Promise<void> {
    return Promise.reject(new InvariantError(`the notice of return ${sagaId} can't be taken back`));
  }
}
