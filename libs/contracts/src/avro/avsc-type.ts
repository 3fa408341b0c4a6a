import type { AvroSchema } from '../event.js';
import { forSchema, UnwrappedUnionType, type AvscType } from './avsc-internals.js';
import { LOGICAL_TYPES } from './logical-types.js';
import {
  BIG_LONG,
  BoundedArrayType,
  BoundedMapType,
  ClosedEnumType,
  ClosedUnionType,
  WELL_FORMED_STRING,
} from './safe-types.js';

/** avsc's options: also the state of one parse (names, current namespace), handed on to nested types. */
type ParseOptions = Record<string, unknown>;
type SchemaNode = AvroSchema & { readonly type?: unknown; readonly logicalType?: unknown };

/** `[null, T]` in either order: the union that is written `T | null`. Every other union is wrapped. */
export function isNullable(branches: readonly unknown[]): boolean {
  return branches.length === 2 && branches.includes('null');
}

function typeHook(schema: SchemaNode, opts: ParseOptions): unknown {
  if (schema === 'long') return BIG_LONG;
  if (schema === 'string') return WELL_FORMED_STRING;
  if (Array.isArray(schema))
    return isNullable(schema)
      ? new UnwrappedUnionType(schema as never, opts)
      : new ClosedUnionType(schema as never, opts);
  if (typeof schema !== 'object' || (schema.logicalType as string) in LOGICAL_TYPES) return undefined;
  switch (schema.type) {
    case 'long':
      return BIG_LONG;
    case 'string':
      return WELL_FORMED_STRING;
    case 'enum':
      return new ClosedEnumType(schema as never, opts);
    case 'array':
      return new BoundedArrayType(schema as never, opts);
    case 'map':
      return new BoundedMapType(schema as never, opts);
    default:
      return undefined;
  }
}

/**
 * Compiles a schema. `strict` (ours): an impossible logical type (a decimal without precision) throws;
 * otherwise (somebody else's, as the writer's) it is ignored and the type underneath is read, as Avro's
 * specification says.
 */
export function avscType(schema: AvroSchema, strict: boolean): AvscType {
  return forSchema(schema as never, {
    typeHook: typeHook as never,
    logicalTypes: { ...LOGICAL_TYPES } as never,
    assertLogicalTypes: strict,
    omitRecordMethods: true,
  }) as AvscType;
}
