import { AvroCodec, UnreadableEventError, type BranchType } from '@aura/contracts';

/** The input of an ask as it is on the wire. */
export interface EncodedInput {
  /** Fingerprint of the revision that wrote it. */
  readonly inputSchema: string;
  readonly input: Buffer;
}

/**
 * Writes and reads the inputs of one branch type. A reader knows the revisions up to its own by its
 * generated contract, so that no registry is asked in the middle of a saga (docs/adr/0016).
 */
export class BranchCodec {
  readonly #codec: AvroCodec;

  constructor(readonly type: BranchType) {
    this.#codec = new AvroCodec(type.name, type.schema);
    for (const earlier of type.earlier) this.#codec.readerOf(earlier);
  }

  /** Throws `InvalidPayloadError` with the field's path. */
  encode(input: object): EncodedInput {
    return { inputSchema: this.type.fingerprint, input: this.#codec.encode(input) };
  }

  /** Throws `UnreadableEventError` for an input that a newer revision wrote, and for bytes that don't fit. */
  decode({ inputSchema, input }: EncodedInput): object {
    const reader = this.#codec.knownReader(inputSchema);
    if (!reader)
      throw new UnreadableEventError(
        `an input of ${this.type.name} was written with schema ${inputSchema}, which this program does not ` +
          `know: deploy ${this.type.service} before the services that ask for it`,
      );
    return reader(input);
  }
}
