import type { EventLog } from '@aura/event-log';
import type { Logger } from '@aura/platform';
import type { TimeGuardOptions } from '../guards/time-guard.js';
import type { Publisher } from './publishing.js';
import type { RelayMetrics } from './relay-metrics.js';

export interface RelayLimits {
  /** Rows and bytes of one read. */
  readonly readRows: number;
  readonly readBytes: number;
  /** Rows and bytes of one append. */
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Appends under way at once. */
  readonly appends: number;
  /** Read and not acknowledged, of all partitions: past it reading stops (E9). */
  readonly waitingRows: number;
  readonly waitingBytes: number;
  /** Ranges of skipped positions: past it only they are read, until their transactions have ended (E9). */
  readonly gaps: number;
  readonly saveEveryMs: number;
  /** The longest pause between two reads. */
  readonly heartbeatMs: number;
  /** Records of a topic's tail that are looked at from each of its ends when a leadership begins (E10). */
  readonly tailWindow: number;
  /** How often a relay that has stopped (E10) looks again by itself, ms. */
  readonly recheckMs: number;
  readonly backoff: { readonly initialMs: number; readonly maxMs: number };
}

export interface LeaderOptions extends Pick<TimeGuardOptions, 'source' | 'topics' | 'findReplay'> {
  readonly log: EventLog;
  readonly publisher: Publisher;
  readonly limits: RelayLimits;
  readonly logger: Logger;
  readonly metrics: RelayMetrics;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** Something was acknowledged or refused: another round is due. */
  readonly onProgress: () => void;
  readonly onError: (error: unknown) => void;
  /** Outbox, cursor and topics were compared, or why they could not be (R7). */
  readonly onCompared: (error: unknown) => void;
  /** A batch was acknowledged whole. */
  readonly onPublished: () => void;
}
