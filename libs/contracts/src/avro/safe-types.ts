/* oxlint-disable no-underscore-dangle -- the names are those of avsc */
/**
 * avsc's own types where they are wrong or can be hurt by bytes or values from outside:
 * - T1 `long` is a bigint, exact over 64 bits;
 * - T2 a string that UTF-8 can't hold (a lone surrogate) is refused instead of being changed;
 * - T3 an enum or union branch named like a member of Object.prototype ("constructor") is not taken for
 *   known;
 * - T4 a count in the bytes can't ask for more elements than the bytes left could hold, nor move the cursor
 *   backwards: a corrupt event of ten bytes must not stall the process;
 * - T5 a map's key "__proto__" is an entry like any other.
 */
import {
  ArrayType,
  EnumType,
  LongType,
  MapType,
  StringType,
  WrappedUnionType,
  type AvscType,
  type CopyOptions,
  type InvalidHook,
  type OpenResolver,
  type Tap,
} from './avsc-internals.js';

const MIN_LONG = -(1n << 63n);
const MAX_LONG = (1n << 63n) - 1n;
/** Within this, avsc's varint of a number is exact both ways (it works on twice the value, as a double). */
const EXACT = 2 ** 51;
const EXACT_BIG = BigInt(EXACT);

/** T1. */
class BigLongType extends LongType {
  _check(value: unknown, _flags?: number, hook?: InvalidHook): boolean {
    const valid = typeof value === 'bigint' && value >= MIN_LONG && value <= MAX_LONG;
    if (!valid) hook?.(value, this as unknown as AvscType);
    return valid;
  }

  _read(tap: Tap): bigint {
    const start = tap.pos;
    const n = tap.readLong();
    if (n < EXACT && n > -EXACT) return BigInt(n);
    let zigzag = 0n;
    for (let i = start, shift = 0n; i < tap.pos; i++, shift += 7n)
      zigzag |= BigInt((tap.buf[i] ?? 0) & 0x7f) << shift;
    return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
  }

  _write(tap: Tap, value: bigint): void {
    if (value < EXACT_BIG && value > -EXACT_BIG) return tap.writeLong(Number(value));
    let zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; zigzag > 0x7fn; zigzag >>= 7n) tap.buf[tap.pos++] = Number(zigzag & 0x7fn) | 0x80;
    tap.buf[tap.pos++] = Number(zigzag);
  }

  /** Defaults in a schema are JSON numbers; one beyond 2^53 was rounded by JSON itself and is refused. */
  _copy(value: unknown, opts?: CopyOptions): unknown {
    if (opts?.coerce === 3) return Number(value);
    if (opts?.coerce !== 2) return value;
    if (!Number.isSafeInteger(value)) throw new TypeError(`${String(value)} is no default for a long`);
    return BigInt(value as number);
  }

  _update(resolver: OpenResolver, writer: AvscType): void {
    if (['int', 'long', 'abstract:long'].includes(writer.typeName)) resolver._read = (tap) => this._read(tap);
  }
}
// 'abstract:long' is how avsc knows a long that is not a number, in unions and when another type reads it.
Object.defineProperty(BigLongType.prototype, 'typeName', { value: 'abstract:long' });
Object.defineProperty(BigLongType.prototype, '_concreteTypeName', { value: 'long' });

/** T2. */
class WellFormedStringType extends StringType {
  _check(value: unknown, _flags?: number, hook?: InvalidHook): boolean {
    const valid = typeof value === 'string' && value.isWellFormed();
    if (!valid) hook?.(value, this as unknown as AvscType);
    return valid;
  }
}

/** T3. */
export class ClosedEnumType extends EnumType {
  _check(value: unknown, _flags?: number, hook?: InvalidHook): boolean {
    const valid = typeof value === 'string' && this.symbols.includes(value);
    if (!valid) hook?.(value, this as unknown as AvscType);
    return valid;
  }
}

/** T3. */
export class ClosedUnionType extends WrappedUnionType {
  _check(value: unknown, flags?: number, hook?: InvalidHook, path?: string[]): boolean {
    if (value !== null && branchOf(this as unknown as AvscType, value) === undefined) {
      hook?.(value, this as unknown as AvscType);
      return false;
    }
    return (WrappedUnionType.prototype as unknown as AvscType)._check.call(
      this as never,
      value,
      flags,
      hook,
      path,
    );
  }
}

/** The branch that `{ name: value }` names, if that is what `value` is. */
export function branchOf(union: AvscType, value: unknown): { name: string; type: AvscType } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const [name, second] = Object.keys(value);
  if (name === undefined || second !== undefined) return undefined;
  const type = union.types?.find((branch) => branch.branchName === name);
  return type && { name, type };
}

/**
 * Elements may take no bytes (null), so that the bytes left alone are no bound: this many always may be
 * tried.
 */
const MIN_BLOCK = 65_536;

/** T4. A block's count; negative in the bytes where the block's size follows. Zero at the end. */
function blockCount(tap: Tap): number {
  let count = tap.readLong();
  if (count < 0) {
    count = -count;
    tap.skipLong();
  }
  const left = tap.buf.length - tap.pos;
  if (count > MIN_BLOCK && count > left)
    throw new RangeError(`${count} elements announced, ${left} bytes left`);
  return count;
}

/** Of an array or map type, or of the resolver that avsc hangs the same `_read` on. */
interface Elements {
  readonly itemsType: AvscType;
  readonly valuesType: AvscType;
}

/** T4. */
export class BoundedArrayType extends ArrayType {
  _read(this: Elements, tap: Tap): unknown[] {
    const items = this.itemsType;
    const values: unknown[] = [];
    for (let n = blockCount(tap); n > 0; n = blockCount(tap)) while (n-- > 0) values.push(items._read(tap));
    return values;
  }

  _skip(tap: Tap): void {
    const items = (this as unknown as Elements).itemsType;
    for (let n = blockCount(tap); n > 0; n = blockCount(tap)) while (n-- > 0) items._skip(tap);
  }
}

/** T4, T5. */
export class BoundedMapType extends MapType {
  _read(this: Elements, tap: Tap): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    for (let n = blockCount(tap); n > 0; n = blockCount(tap))
      while (n-- > 0) {
        const key = tap.readString();
        const value = this.valuesType._read(tap);
        if (key === '__proto__')
          Object.defineProperty(values, key, { value, enumerable: true, configurable: true, writable: true });
        else values[key] = value;
      }
    return values;
  }

  _skip(tap: Tap): void {
    for (let n = blockCount(tap); n > 0; n = blockCount(tap))
      while (n-- > 0) {
        tap.skipString();
        (this as unknown as Elements).valuesType._skip(tap);
      }
  }
}

export const BIG_LONG = new BigLongType();
export const WELL_FORMED_STRING = new WellFormedStringType();
