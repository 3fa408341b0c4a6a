/* oxlint-disable no-underscore-dangle -- the names are those of avsc */
import { isType, LogicalType, type AvscType, type OpenResolver, type Tap } from './avsc-internals.js';

/** What a logical type's schema node may hold beside `type`. */
interface LogicalSchema {
  readonly logicalType: string;
  readonly type: unknown;
  readonly precision?: unknown;
  readonly scale?: unknown;
  readonly size?: unknown;
}

/**
 * Base of ours: resolution reads the writer's bytes through the underlying type, so that promotions (int to
 * long) and a writer without the annotation work. That both mean the same by them is checked before
 * (meaning.ts).
 */
abstract class ReadableLogicalType extends LogicalType {
  /** For messages: what a value has to be. */
  abstract readonly expectation: string;

  _update(resolver: OpenResolver, writer: AvscType): void {
    const bare = isType(writer, 'logical') ? (writer.underlyingType as AvscType) : writer;
    const read = (this.underlyingType as AvscType).createResolver(bare);
    resolver._read = (tap: Tap) => this._fromValue(read._read(tap));
  }
}

/** avsc's longs as numbers are inexact beyond: it doubles them. The year 73,000 is far enough. */
const MAX_MILLIS = 2 ** 51;

/** `timestamp-millis` of a long <-> `Date`, years -69,000 to 73,000. */
export class TimestampMillisType extends ReadableLogicalType {
  readonly expectation = 'timestamp-millis (a valid Date up to the year 73,000)';
  constructor(schema: LogicalSchema, opts?: unknown) {
    super(schema as never, opts);
    requireUnderlying(this, schema, 'long');
  }
  protected override _fromValue(millis: number): Date {
    if (Math.abs(millis) >= MAX_MILLIS)
      throw new RangeError(`a time of ${millis} ms is beyond the year 73,000`);
    return new Date(millis);
  }
  protected override _toValue(value: unknown): number | undefined {
    if (!(value instanceof Date)) return undefined;
    const millis = value.getTime();
    return Math.abs(millis) < MAX_MILLIS ? millis : undefined;
  }
}

const DAY_MS = 86_400_000;

/** `date` of an int (days since 1970) <-> `YYYY-MM-DD`, years 0000 to 9999. */
export class DateType extends ReadableLogicalType {
  readonly expectation = 'date (YYYY-MM-DD)';
  constructor(schema: LogicalSchema, opts?: unknown) {
    super(schema as never, opts);
    requireUnderlying(this, schema, 'int');
  }
  protected override _fromValue(days: number): string {
    const text = new Date(days * DAY_MS).toISOString();
    if (text.length !== 24) throw new RangeError(`day ${days} is outside the years 0000 to 9999`);
    return text.slice(0, 10);
  }
  protected override _toValue(value: unknown): number | undefined {
    if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return undefined;
    const millis = Date.parse(`${value}T00:00:00Z`);
    // Date.parse takes 2026-02-30 as 2 March in some engines: only what comes back the same is a date.
    if (Number.isNaN(millis) || new Date(millis).toISOString().slice(0, 10) !== value) return undefined;
    return millis / DAY_MS;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * `uuid` of a string or of a fixed of 16 bytes <-> lower-case string; upper case is accepted and written
 * lower.
 */
export class UuidType extends ReadableLogicalType {
  readonly expectation = 'uuid';
  readonly #binary: boolean;
  constructor(schema: LogicalSchema, opts?: unknown) {
    super(schema as never, opts);
    this.#binary = schema.type === 'fixed' && schema.size === 16;
    if (!this.#binary) requireUnderlying(this, schema, 'string');
  }
  protected override _fromValue(raw: string | Buffer): string {
    const text = typeof raw === 'string' ? raw.toLowerCase() : hyphenated(raw.toString('hex'));
    if (!UUID.test(text)) throw new TypeError(`${JSON.stringify(text.slice(0, 64))} is no uuid`);
    return text;
  }
  protected override _toValue(value: unknown): string | Buffer | undefined {
    if (typeof value !== 'string') return undefined;
    const text = value.toLowerCase();
    if (!UUID.test(text)) return undefined;
    return this.#binary ? Buffer.from(text.replaceAll('-', ''), 'hex') : text;
  }
}

/**
 * `decimal` of bytes or fixed <-> string with exactly the schema's scale (`12.30`). Accepted: an optional
 * minus, digits, a point with at most `scale` digits, at most `precision` digits in all; nothing is rounded.
 */
export class DecimalType extends ReadableLogicalType {
  readonly expectation: string;
  readonly precision: number;
  readonly scale: number;
  readonly #size: number | undefined;
  readonly #limit: bigint;
  constructor(schema: LogicalSchema, opts?: unknown) {
    super(schema as never, opts);
    const { precision, scale = 0 } = schema;
    if (!Number.isInteger(precision) || (precision as number) < 1)
      throw new TypeError(`decimal: precision has to be a positive integer, got ${String(precision)}`);
    if (!Number.isInteger(scale) || (scale as number) < 0 || (scale as number) > (precision as number))
      throw new TypeError(`decimal: scale has to be an integer from 0 to precision, got ${String(scale)}`);
    if (schema.type !== 'fixed') requireUnderlying(this, schema, 'bytes');
    this.precision = precision as number;
    this.scale = scale as number;
    this.#size = schema.type === 'fixed' ? (schema.size as number) : undefined;
    this.#limit = 10n ** BigInt(this.precision);
    if (this.#size !== undefined && this.#limit - 1n >= 1n << BigInt(this.#size * 8 - 1))
      throw new TypeError(`decimal: ${this.precision} digits do not fit into ${this.#size} bytes`);
    this.expectation = `decimal(${this.precision}, ${this.scale}) as a string`;
  }
  protected override _fromValue(raw: Buffer): string {
    const unscaled =
      raw.length === 0 ? 0n : BigInt.asIntN(raw.length * 8, BigInt(`0x${raw.toString('hex')}`));
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(this.scale + 1, '0');
    const whole = digits.slice(0, digits.length - this.scale);
    const fraction = this.scale === 0 ? '' : `.${digits.slice(-this.scale)}`;
    return `${unscaled < 0n ? '-' : ''}${whole}${fraction}`;
  }
  protected override _toValue(value: unknown): Buffer | undefined {
    const match = typeof value === 'string' ? /^(-?)(\d{1,1000})(?:\.(\d{1,1000}))?$/.exec(value) : null;
    if (!match) return undefined;
    const [, sign, whole, fraction = ''] = match;
    if (fraction.length > this.scale) return undefined;
    const magnitude = BigInt(`${whole}${fraction.padEnd(this.scale, '0')}`);
    if (magnitude >= this.#limit) return undefined;
    return twosComplement(sign === '-' ? -magnitude : magnitude, this.#size);
  }
}

/** Big-endian; as few bytes as hold the sign, or `size` of them. */
function twosComplement(value: bigint, size: number | undefined): Buffer {
  let length = size ?? 1;
  if (size === undefined) while (BigInt.asIntN(length * 8, value) !== value) length++;
  const hex = BigInt.asUintN(length * 8, value).toString(16);
  return Buffer.from(hex.padStart(length * 2, '0'), 'hex');
}

function hyphenated(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function requireUnderlying(type: AvscLogical, schema: LogicalSchema, wanted: string): void {
  if (type.underlyingType.typeName !== wanted)
    throw new TypeError(`${schema.logicalType}: the type underneath has to be ${wanted}`);
}
type AvscLogical = InstanceType<typeof LogicalType>;

/**
 * What we represent in a form of its own; others (`timestamp-micros`, `time-millis`...) keep the type
 * underneath.
 */
export const LOGICAL_TYPES = {
  'timestamp-millis': TimestampMillisType,
  date: DateType,
  uuid: UuidType,
  decimal: DecimalType,
} as const;
