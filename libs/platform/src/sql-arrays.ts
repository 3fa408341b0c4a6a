/**
 * Arrays as Postgres itself keeps them: each element with its length, instead of one text in which every
 * quote is escaped, which Postgres reads letter by letter. With set-based statements arrays are most of
 * what a service sends. The form: `array_recv` and the other `*_recv` functions of Postgres's own types
 * (`src/backend/utils/adt`).
 */

/** Writes `value` at `at` and gives the end of it; undefined: leave the array to pg. */
type Write = (into: Scratch, value: unknown, at: number) => number | undefined;

/** From 1970 to 2000, where Postgres begins to count. */
const POSTGRES_EPOCH_MS = 946_684_800_000;
const [INT_MAX, LONG_MAX] = [2 ** 31, 2n ** 63n];
const DIGITS = /^-?\d{1,19}$/;
const HEX = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value++)
  for (const digit of [value.toString(16), value.toString(16).toUpperCase()])
    HEX[digit.charCodeAt(0)] = value;
const DASH = '-'.charCodeAt(0);
/** Where a UUID has its dashes, and its sixteen bytes. */
const DASHES = [8, 13, 18, 23];
const PAIRS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** What an array is built in; grows, and is let go of where it grew too far. */
class Scratch {
  static readonly #KEPT_BYTES = 1 << 20;
  bytes = Buffer.allocUnsafe(1 << 16);

  room(bytes: number): void {
    if (bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.bytes.length));
    this.bytes.copy(larger);
    this.bytes = larger;
  }

  taken(bytes: number): Buffer {
    const copy = Buffer.from(this.bytes.subarray(0, bytes));
    if (this.bytes.length > Scratch.#KEPT_BYTES) this.bytes = Buffer.allocUnsafe(1 << 16);
    return copy;
  }
}

const scratch = new Scratch();

/** Element types by the name in `$1::<name>[]`: their oids (pg_type.dat) and how an element is written. */
const ELEMENTS: Readonly<Record<string, { readonly oid: number; readonly write: Write }>> = {
  boolean: { oid: 16, write: writeBoolean },
  bytea: { oid: 17, write: writeBytes },
  bigint: { oid: 20, write: writeLong },
  int: { oid: 23, write: writeInt },
  text: { oid: 25, write: writeText },
  timestamptz: { oid: 1184, write: writeTime },
  uuid: { oid: 2950, write: writeUuid },
};

/** For each parameter of a statement that is an array by its own words (`$2::uuid[]`): of which type. */
export function arrayTypesOf(text: string): ReadonlyMap<number, string> {
  const types = new Map<number, string>();
  for (const [, parameter, type] of text.matchAll(/\$(\d+)::(\w+)\[\]/g))
    if (type !== undefined && type in ELEMENTS) types.set(Number(parameter) - 1, type);
  return types;
}

/**
 * `values` in one dimension, for a parameter of type `type[]`. Undefined where a value is not plainly of that
 * type: Postgres has the last word on it, in the text that pg makes of it.
 */
export function binaryArray(type: string, values: readonly unknown[]): Buffer | undefined {
  const element = ELEMENTS[type];
  if (!element) return undefined;
  const into = scratch;
  const hasNulls = values.some((value) => value === null || value === undefined);
  let at = header(into, element.oid, values.length, hasNulls);
  for (const value of values) {
    into.room(at + 24);
    const end =
      value === null || value === undefined
        ? into.bytes.writeInt32BE(-1, at)
        : element.write(into, value, at);
    if (end === undefined) return undefined;
    at = end;
  }
  return into.taken(at);
}

function header({ bytes }: Scratch, oid: number, length: number, hasNulls: boolean): number {
  bytes.writeInt32BE(length === 0 ? 0 : 1, 0);
  bytes.writeInt32BE(hasNulls ? 1 : 0, 4);
  bytes.writeInt32BE(oid, 8);
  if (length === 0) return 12;
  bytes.writeInt32BE(length, 12);
  return bytes.writeInt32BE(1, 16); // the first index
}

function writeBoolean({ bytes }: Scratch, value: unknown, at: number): number | undefined {
  if (typeof value !== 'boolean') return undefined;
  return bytes.writeInt8(value ? 1 : 0, bytes.writeInt32BE(1, at));
}

function writeInt({ bytes }: Scratch, value: unknown, at: number): number | undefined {
  if (!Number.isInteger(value)) return undefined;
  const int = value as number;
  return int >= -INT_MAX && int < INT_MAX ? bytes.writeInt32BE(int, bytes.writeInt32BE(4, at)) : undefined;
}

function writeLong({ bytes }: Scratch, value: unknown, at: number): number | undefined {
  const long = longOf(value);
  if (long === undefined || long < -LONG_MAX || long >= LONG_MAX) return undefined;
  return bytes.writeBigInt64BE(long, bytes.writeInt32BE(8, at));
}

function longOf(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string') return DIGITS.test(value) ? BigInt(value) : undefined;
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
}

function writeTime({ bytes }: Scratch, value: unknown, at: number): number | undefined {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  if (Number.isNaN(ms)) return undefined;
  return bytes.writeBigInt64BE(BigInt(ms - POSTGRES_EPOCH_MS) * 1_000n, bytes.writeInt32BE(8, at));
}

function writeText(into: Scratch, value: unknown, at: number): number | undefined {
  if (typeof value !== 'string') return undefined;
  into.room(at + 24 + 3 * value.length);
  const written = into.bytes.write(value, at + 4);
  into.bytes.writeInt32BE(written, at);
  return at + 4 + written;
}

function writeBytes(into: Scratch, value: unknown, at: number): number | undefined {
  if (!Buffer.isBuffer(value)) return undefined;
  into.room(at + 24 + value.length);
  into.bytes.writeInt32BE(value.length, at);
  return at + 4 + value.copy(into.bytes, at + 4);
}

function writeUuid({ bytes }: Scratch, value: unknown, at: number): number | undefined {
  if (typeof value !== 'string' || value.length !== 36) return undefined;
  if (DASHES.some((index) => value.charCodeAt(index) !== DASH)) return undefined;
  let end = bytes.writeInt32BE(16, at);
  for (const index of PAIRS) {
    const byte = ((HEX[value.charCodeAt(index)] ?? -1) << 4) | (HEX[value.charCodeAt(index + 1)] ?? -1);
    if (byte < 0) return undefined;
    bytes[end++] = byte;
  }
  return end;
}
