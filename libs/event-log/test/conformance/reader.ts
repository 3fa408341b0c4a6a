import type {
  Batch,
  DeliveryContext,
  EventLog,
  LogRecord,
  Position,
  SubscribeOptions,
  Subscription,
  TopicPartition,
} from '../../src/index.js';

/** Stands for the database of a service: where its group is, shared by the members of a test. */
export class Positions {
  readonly #next = new Map<string, bigint>();

  of(partitions: readonly TopicPartition[]): Position[] {
    return partitions.map((p) => ({ ...named(p), offset: this.#next.get(keyOf(p)) ?? 0n }));
  }

  move(positions: readonly Position[]): void {
    for (const position of positions) this.#next.set(keyOf(position), position.offset);
  }
}

export interface ReaderSettings extends Partial<SubscribeOptions> {
  readonly group: string;
  readonly topics: readonly string[];
  readonly positions?: Positions;
  /** In place of taking everything: what `onBatches` does with what has arrived. */
  readonly handle?: (batches: readonly Batch[], unit: DeliveryContext) => Promise<readonly Position[]>;
}

export type Happening =
  | { what: 'assigned' | 'revoked' | 'revoked unclean'; partitions: readonly TopicPartition[] }
  | { what: 'records'; records: readonly LogRecord[] };

/**
 * A member that writes down what happens to it. Its callbacks are given to a log of this process, or to a
 * child's.
 */
export class Reader {
  readonly happened: Happening[] = [];
  readonly errors: Error[] = [];
  readonly partitionErrors: { partition: TopicPartition; error: Error }[] = [];
  /** Units under way; more than one at a time would break the port. */
  units = 0;
  mostUnits = 0;
  readonly positions: Positions;

  constructor(readonly settings: ReaderSettings) {
    this.positions = settings.positions ?? new Positions();
  }

  get records(): LogRecord[] {
    return this.happened.flatMap((h) => (h.what === 'records' ? h.records : []));
  }

  options(): SubscribeOptions {
    const { positions: _, handle, ...given } = this.settings;
    return {
      onAssigned: (partitions) => {
        this.happened.push({ what: 'assigned', partitions });
        return Promise.resolve(this.positions.of(partitions));
      },
      onRevoked: (partitions, clean) => {
        this.happened.push({ what: clean ? 'revoked' : 'revoked unclean', partitions });
        return Promise.resolve();
      },
      onPartitionError: (partition, error) => this.partitionErrors.push({ partition, error }),
      onError: (error) => this.errors.push(error),
      onBatches: async (batches, unit) => {
        this.mostUnits = Math.max(this.mostUnits, ++this.units);
        try {
          this.happened.push({ what: 'records', records: batches.flatMap((b) => b.records) });
          const moved = await (handle ?? takeAll)(batches, unit);
          this.positions.move(moved);
          return moved;
        } finally {
          this.units--;
        }
      },
      ...given,
    };
  }

  subscribe(log: EventLog): Promise<Subscription> {
    return log.subscribe(this.options());
  }
}

/** Everything is done. */
export function takeAll(batches: readonly Batch[]): Promise<readonly Position[]> {
  return Promise.resolve(batches.map(afterLast));
}

export function afterLast(batch: Batch): Position {
  return { ...named(batch), offset: (batch.records.at(-1)?.offset ?? 0n) + 1n };
}

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
export const named = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition });
