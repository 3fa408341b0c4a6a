import { TransientError } from '@aura/platform';

/**
 * A handler can't take events now, whichever they are, and will by itself: the unit is tried again with
 * back-off, nothing is parked and no attempt burns. Its partitions wait meanwhile: for states of a whole
 * service, never for one event.
 */
export class HoldError extends TransientError {}
