import type { Consumer } from 'kafkajs';
import type { Position, TopicPartition } from '../event-log.js';
import { partitionKey } from './fence.js';

/** How late Kafka's copy of the positions is at most, while its group is whole (ms). */
const COMMIT_EVERY_MS = 5_000;

/**
 * Writes a group's positions to Kafka some seconds late: for tools that show lag, and as the log's memory
 * that the group was there (`groupOffsets`). No reader starts from them. A commit that fails is left to the
 * next one.
 */
export class LagOffsets {
  #moved = new Map<string, Position>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly consumer: () => Consumer | undefined,
    private readonly holds: (partition: TopicPartition) => boolean,
  ) {}

  moved(position: Position): void {
    this.#moved.set(partitionKey(position), position);
    this.#timer ??= setTimeout(() => void this.commit(), COMMIT_EVERY_MS).unref();
  }

  /** Writes what has moved and is still held. */
  async commit(): Promise<void> {
    this.stop();
    const positions = [...this.#moved.values()].filter((p) => this.holds(p));
    this.#moved = new Map();
    if (positions.length === 0) return;
    const offsets = positions.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset: String(offset),
    }));
    await this.consumer()
      ?.commitOffsets(offsets)
      .catch(() => undefined); // the next commit will do
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
