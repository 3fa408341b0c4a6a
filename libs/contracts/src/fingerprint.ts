/**
 * Why not Avro's own CRC-64 of the parsing canonical form: that form drops logical types, defaults and our
 * attributes, so two revisions that differ in a default only would share a fingerprint, and old rows would
 * be framed with a schema that their writer did not have (docs/adr/0002-contracts.md).
 */
import { createHash } from 'node:crypto';
import type { AvroSchema } from './event.js';

const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);
/** Says nothing about bytes or values, or is said again by the full names. */
const DROPPED = new Set(['doc', 'namespace', 'order']);

/** What JSON.parse gives. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * One text for all spellings of a schema: full names, no docs, attributes sorted, `{"type": "int"}` as
 * `"int"`; logical types, defaults, aliases and other attributes are kept. A registry or a `jsonb` column
 * may reorder a schema freely.
 */
export function canonicalForm(schema: AvroSchema): string {
  return JSON.stringify(canonicalSchema(schema));
}

/** The canonical form as an object. */
export function canonicalSchema(schema: AvroSchema): Json {
  return canonical(schema as Json, '');
}

/** First 64 bits of SHA-256 over the canonical form, as 16 hex digits. */
export function fingerprintOf(schema: AvroSchema): string {
  return createHash('sha256').update(canonicalForm(schema)).digest('hex').slice(0, 16);
}

function canonical(schema: Json, namespace: string): Json {
  if (typeof schema === 'string') return fullName(schema, namespace);
  if (Array.isArray(schema)) return schema.map((branch) => canonical(branch, namespace));
  if (schema === null || typeof schema !== 'object') return schema;
  const named = typeof schema['name'] === 'string';
  const own = named ? fullName(schema['name'] as string, (schema['namespace'] as string) ?? namespace) : '';
  const inner = named ? own.slice(0, Math.max(own.lastIndexOf('.'), 0)) : namespace;
  const out: Record<string, Json> = {};
  for (const key of Object.keys(schema).toSorted()) {
    const value = schema[key] as Json;
    if (DROPPED.has(key)) continue;
    else if (key === 'name' && named) out[key] = own;
    else if (key === 'aliases') out[key] = (value as string[]).map((alias) => fullName(alias, inner));
    else if (key === 'items' || key === 'values' || (key === 'type' && typeof value === 'object'))
      out[key] = canonical(value, inner);
    else if (key === 'fields')
      out[key] = (value as Json[]).map((f) => field(f as Record<string, Json>, inner));
    else out[key] = sorted(value);
  }
  const keys = Object.keys(out);
  return keys.length === 1 && keys[0] === 'type' ? (out['type'] as Json) : out;
}

function field(node: Record<string, Json>, namespace: string): Json {
  const out: Record<string, Json> = {};
  for (const key of Object.keys(node).toSorted())
    if (!DROPPED.has(key))
      out[key] = key === 'type' ? canonical(node[key] as Json, namespace) : sorted(node[key] as Json);
  return out;
}

/** A value that is no schema (a default, an attribute), with its keys in order. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sorted(value[key] as Json)]),
  );
}

function fullName(name: string, namespace: string): string {
  return PRIMITIVES.has(name) || name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}
