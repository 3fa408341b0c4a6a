/* oxlint-disable no-underscore-dangle -- the names are those of avsc */
/**
 * What we use of avsc 5.7.9 beyond its public typings: the methods that its own types override. One place,
 * so that an upgrade has one place to check.
 */
import avsc, { type Type } from 'avsc';

/**
 * Cursor over a buffer. Reads past the end give nonsense and leave `pos > buf.length`: callers check at the
 * end.
 */
export interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  writeLong(n: number): void;
  skipLong(): void;
  readString(): string;
  skipString(): void;
}

/** Called for each value that does not fit, while `path` (shared, mutable) names its place. */
export type InvalidHook = (value: unknown, type: AvscType) => void;

/** An avsc type as its neighbours see it. */
export interface AvscType extends Type {
  _check(value: unknown, flags?: number, hook?: InvalidHook, path?: string[]): boolean;
  _read(tap: Tap): unknown;
  _write(tap: Tap, value: unknown): void;
  _skip(tap: Tap): void;
  createResolver(writer: Type): AvscResolver;
  readonly underlyingType?: AvscType;
  readonly fields?: readonly { name: string; type: AvscType; defaultValue(): unknown }[];
  readonly itemsType?: AvscType;
  readonly valuesType?: AvscType;
  readonly types?: readonly AvscType[];
  readonly symbols?: readonly string[];
  readonly size?: number;
}

export type AvscResolver = ReturnType<Type['createResolver']> & { _read(tap: Tap): unknown };

/** Mutable while avsc builds it: `_update` sets `_read` where the writer's type can be read. */
export interface OpenResolver {
  _read: ((tap: Tap) => unknown) | null;
}

/** `_copy` with `coerce: 2` reads a schema's JSON default; with 3 it writes JSON. */
export interface CopyOptions {
  readonly coerce?: number;
}

// Named exports of a CommonJS package are not seen by Node's ESM loader: only the default import has them.
export const { LogicalType, LongType, StringType, EnumType, ArrayType, MapType } = avsc.types;
export const { UnwrappedUnionType, WrappedUnionType } = avsc.types;
export const forSchema = avsc.Type.forSchema.bind(avsc.Type);
export const isType = avsc.Type.isType.bind(avsc.Type);
