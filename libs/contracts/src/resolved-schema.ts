import type { AvroSchema } from './event.js';
import { canonicalSchema, type Json } from './fingerprint.js';

/** A type that is no union: its attributes by what this file asks of them. */
export interface Named {
  readonly type: string;
  readonly name?: string;
  readonly aliases?: readonly string[];
  readonly fields?: readonly Field[];
  readonly items?: Json;
  readonly values?: Json;
  readonly symbols?: readonly string[];
  readonly size?: number;
  readonly logicalType?: string;
  readonly scale?: number;
  readonly default?: Json;
}
export interface Field {
  readonly name: string;
  readonly type: Json;
  readonly default?: Json;
  readonly aliases?: readonly string[];
}

/** A schema in canonical form, with its named types at hand. */
export class Resolved {
  readonly root: Json;
  readonly #named = new Map<string, Named>();

  constructor(schema: AvroSchema) {
    this.root = canonicalSchema(schema);
    this.#collect(this.root);
  }

  /** References followed and primitives as `{ type }`; a union stays an array. */
  node(schema: Json): Named | readonly Json[] {
    if (Array.isArray(schema)) return schema;
    if (typeof schema === 'string') return this.#named.get(schema) ?? { type: schema };
    return schema as unknown as Named;
  }

  #collect(schema: Json | undefined): void {
    if (Array.isArray(schema)) for (const branch of schema) this.#collect(branch);
    if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return;
    const node = schema as unknown as Named;
    if (node.name !== undefined) this.#named.set(node.name, node);
    for (const field of node.fields ?? []) this.#collect(field.type);
    this.#collect(node.items);
    this.#collect(node.values);
  }
}

/** Reader type -> writer types that it takes besides its own. */
export const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  long: ['int'],
  float: ['int', 'long'],
  double: ['int', 'long', 'float'],
  string: ['bytes'],
  bytes: ['string'],
};

export function isUnion(node: Named | readonly Json[]): node is readonly Json[] {
  return Array.isArray(node);
}

export function label(node: Named): string {
  return node.name === undefined ? node.type : `${node.type} ${node.name}`;
}

export function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
