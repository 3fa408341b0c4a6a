import type { BranchType } from '@aura/contracts';
import { DiscoveryService } from '@nestjs/core';
import type { ExternalParticipant, Participant } from '../participant/participant.js';

/**
 * Marks a provider as this service's part in a branch of sagas: `@ParticipantOf(StockHold) class
 * StockParticipant implements Participant<StockHold>`. The branch's contract says who may ask for it.
 */
export const ParticipantOf = DiscoveryService.createDecorator<BranchType>();

/** The providers under `@ParticipantOf`: their contracts are known before they are made. */
export function participantsIn(
  discovery: DiscoveryService,
): { readonly type: BranchType; readonly instance: () => Participant | ExternalParticipant }[] {
  return discovery.getProviders().flatMap((wrapper) => {
    const type = wrapper.metatype ? discovery.getMetadataByDecorator(ParticipantOf, wrapper) : undefined;
    return type ? [{ type, instance: () => wrapper.instance as Participant | ExternalParticipant }] : [];
  });
}
