import { UnreadableEventError } from './errors.js';

/** Confluent's wire format: a zero, the schema's id as four bytes big-endian, then the Avro body. */
const MAGIC = 0;
export const FRAME_BYTES = 5;
const MAX_ID = 0x7fff_ffff;

/**
 * `body` with the frame of schema `id` in front. The id is the registry's: it is put on when published,
 * never stored.
 */
export function frame(id: number, body: Buffer): Buffer {
  if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
    throw new RangeError(`${id} is no schema id: a frame takes 0 to ${MAX_ID}`);
  const framed = Buffer.allocUnsafe(FRAME_BYTES + body.length);
  framed[0] = MAGIC;
  framed.writeInt32BE(id, 1);
  body.copy(framed, FRAME_BYTES);
  return framed;
}

/** Id and body of a framed value; the body shares the value's memory. Throws `UnreadableEventError`. */
export function unframe(value: Buffer): { id: number; body: Buffer } {
  if (value.length < FRAME_BYTES)
    throw new UnreadableEventError(
      `a value of ${value.length} bytes has no schema frame: it takes at least ${FRAME_BYTES}`,
    );
  if (value[0] !== MAGIC)
    throw new UnreadableEventError(
      `a value starts with byte ${value[0]} instead of 0: it was not written with a schema registry`,
    );
  const id = value.readInt32BE(1);
  if (id < 0) throw new UnreadableEventError(`a value names schema id ${id}: ids are not negative`);
  return { id, body: value.subarray(FRAME_BYTES) };
}
