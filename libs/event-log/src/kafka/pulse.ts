import { isEvicted, mustRejoin } from './kafka-errors.js';

/**
 * Heartbeats while batches are being handled (hole H45): kafkajs sends none then, and a unit longer than the
 * session would be given to another member, and run again and again.
 *
 * A rebalance that a heartbeat meets is remembered and thrown when the work has ended, so that kafkajs joins
 * again. Until then the heart goes on beating: the group waits for a member that is alive (up to the
 * rebalance timeout), and gives the partitions of a silent one away. Other errors of a heartbeat (broker
 * away) are left to the next one.
 */
export class Pulse {
  #timer: NodeJS.Timeout | undefined;
  #working = 0;
  #interruption: Error | undefined;
  #evicted = false;

  /** `onEvicted`: the group no longer knows this member; what it holds may be somebody else's by now. */
  constructor(
    private readonly everyMs: number,
    private readonly onEvicted: () => void,
  ) {}

  /** Why the work under way should end soon; undefined while the group stands. */
  get interruption(): Error | undefined {
    return this.#interruption;
  }

  /** Forgets the interruption: this member has joined again. */
  renew(): void {
    this.#interruption = undefined;
    this.#evicted = false;
  }

  /**
   * Runs `work` with a heartbeat every `everyMs`. Throws the rebalance that it met meanwhile, after the work.
   */
  async during(heartbeat: () => Promise<void>, work: () => Promise<void>): Promise<void> {
    this.#working += 1;
    this.#timer ??= setInterval(() => void this.#beat(heartbeat), this.everyMs);
    try {
      await work();
    } finally {
      this.#working -= 1;
      if (this.#working === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
    if (this.#interruption) throw this.#interruption;
  }

  async #beat(heartbeat: () => Promise<void>): Promise<void> {
    if (this.#evicted) return;
    try {
      await heartbeat();
    } catch (error) {
      if (!mustRejoin(error) || !(error instanceof Error)) return;
      this.#interruption ??= error;
      if (!isEvicted(error)) return;
      this.#evicted = true;
      this.onEvicted();
    }
  }
}
