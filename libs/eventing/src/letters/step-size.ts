/**
 * Pure: how many letters the next step of a redrive takes.
 *
 * R1 a step that failed is narrowed down to the letter that fails, in order: what stands before it goes
 *    through for good, in about log2(n) steps;
 * R2 the head has failed before: it is tried alone. Once the suspects are through, steps are large.
 */
export class StepSize {
  /** Letters at the head of the queue among which one is known to fail. */
  #suspects = 1;

  /** `most`: letters of one step. */
  constructor(private readonly most: number) {}

  next(): number {
    return this.#suspects > 0 ? Math.ceil(this.#suspects / 2) : this.most;
  }

  /** The first `letters` are through. */
  passed(letters: number): void {
    this.#suspects = Math.max(0, this.#suspects - letters);
  }

  /** One of the first `letters` fails. */
  failed(letters: number): void {
    this.#suspects = letters;
  }
}
