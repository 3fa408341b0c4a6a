import { inspect } from 'node:util';

const HIDDEN = '***';

/**
 * A value that shows itself only to who asks for it: string conversion, JSON and `inspect` give `***`, so
 * it may be logged with the rest of a configuration. It protects from mistakes, not from code that calls
 * `reveal()`.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    Object.freeze(this);
  }

  /** The value. Call it where it is used, and pass the result to nothing that logs. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
