/**
 * Which revisions of a record can live on one subject. The rules are those of Avro's specification ("Schema
 * Resolution") as its Java implementation checks them, and so the registries in use; a spec compares
 * verdicts with a running one.
 */
import { AvroCodec } from './avro.js';
import type { AvroSchema } from './event.js';
import type { Json } from './fingerprint.js';
import { isUnion, label, PROMOTIONS, Resolved, shortName, type Named } from './resolved-schema.js';

/** Why two schemas are not compatible, and where: `palette[].share`. Empty path: the record itself. */
export interface SchemaProblem {
  readonly path: string;
  readonly reason: string;
}

/** One direction: whether a reader with `readerSchema` reads what `writerSchema` wrote. Empty: it does. */
export function readingProblems(readerSchema: AvroSchema, writerSchema: AvroSchema): SchemaProblem[] {
  const reader = new Resolved(readerSchema);
  const writer = new Resolved(writerSchema);
  return new Reading(reader, writer).problems(reader.root, writer.root, '');
}

/** Both directions (FULL). Empty: compatible. */
export function compatibilityProblems(later: AvroSchema, earlier: AvroSchema): SchemaProblem[] {
  return [
    ...readingProblems(later, earlier).map((p) => ({ ...p, reason: `${p.reason} (reading old events)` })),
    ...readingProblems(earlier, later).map((p) => ({
      ...p,
      reason: `${p.reason} (old readers, new events)`,
    })),
  ];
}

/**
 * FULL_TRANSITIVE: `schema` against all earlier ones of its subject; the problems with the first that
 * refuses.
 */
export function transitiveProblems(schema: AvroSchema, earlier: readonly AvroSchema[]): SchemaProblem[] {
  for (const other of earlier) {
    const problems = compatibilityProblems(schema, other);
    if (problems.length > 0) return problems;
  }
  return [];
}

/**
 * What the build asks of a new revision: FULL compatibility, and what no registry looks at: the same key,
 * and no number whose meaning changes under the same bytes (another logical type or scale).
 */
export function revisionProblems(later: AvroSchema, earlier: AvroSchema): SchemaProblem[] {
  const problems = compatibilityProblems(later, earlier);
  if (problems.length > 0) return problems;
  const [now, before] = [later, earlier].map((s) => (s as { 'aura.key'?: unknown })['aura.key']);
  if (now !== before)
    return [{ path: '', reason: `its key is ${String(now)}, was ${String(before)}: order would be lost` }];
  return [...resolutionProblem(later, earlier), ...resolutionProblem(earlier, later)];
}

/**
 * Whether our own reader resolves the two: it is stricter than the rules about logical types and namespaces.
 */
function resolutionProblem(reader: AvroSchema, writer: AvroSchema): SchemaProblem[] {
  try {
    new AvroCodec('the event', reader).readerOf(writer);
    return [];
  } catch (error) {
    return [{ path: '', reason: (error as Error).message }];
  }
}

class Reading {
  /** Pairs under way or done: a recursive schema meets itself. */
  readonly #seen = new Set<string>();

  constructor(
    private readonly reader: Resolved,
    private readonly writer: Resolved,
  ) {}

  problems(readerSchema: Json, writerSchema: Json, path: string): SchemaProblem[] {
    const reader = this.reader.node(readerSchema);
    const writer = this.writer.node(writerSchema);
    if (isUnion(writer)) return writer.flatMap((branch) => this.problems(readerSchema, branch, path));
    if (isUnion(reader)) return this.#intoUnion(reader, writerSchema, path);
    if (reader.type !== writer.type)
      return PROMOTIONS[reader.type]?.includes(writer.type)
        ? []
        : [{ path, reason: `${label(writer)} can't be read as ${label(reader)}` }];
    return this.#sameType(reader, writer, path);
  }

  #sameType(reader: Named, writer: Named, path: string): SchemaProblem[] {
    switch (reader.type) {
      case 'array':
        return this.problems(reader.items ?? null, writer.items ?? null, `${path}[]`);
      case 'map':
        return this.problems(reader.values ?? null, writer.values ?? null, `${path}{}`);
      case 'record':
      case 'error':
        return [...nameProblem(reader, writer, path), ...this.#fields(reader, writer, path)];
      case 'enum':
        return [...nameProblem(reader, writer, path), ...symbolProblem(reader, writer, path)];
      case 'fixed':
        return [
          ...nameProblem(reader, writer, path),
          ...(reader.size === writer.size
            ? []
            : [
                {
                  path,
                  reason: `fixed of ${writer.size} bytes read as ${reader.size}`,
                },
              ]),
        ];
      default:
        return [];
    }
  }

  #fields(reader: Named, writer: Named, path: string): SchemaProblem[] {
    const pair = `${reader.name} ${writer.name}`;
    if (this.#seen.has(pair)) return [];
    this.#seen.add(pair);
    const written = writer.fields ?? [];
    return (reader.fields ?? []).flatMap((field) => {
      const at = path === '' ? field.name : `${path}.${field.name}`;
      const source =
        written.find(({ name }) => name === field.name) ??
        written.find(({ name }) => field.aliases?.includes(name));
      if (source) return this.problems(field.type, source.type, at);
      return field.default === undefined ? [{ path: at, reason: 'is not written and has no default' }] : [];
    });
  }

  #intoUnion(branches: readonly Json[], writerSchema: Json, path: string): SchemaProblem[] {
    const readable = branches.some((branch) => {
      // A branch that fails must not leave its pairs marked as good for the next one.
      const attempt = new Reading(this.reader, this.writer);
      for (const pair of this.#seen) attempt.#seen.add(pair);
      return attempt.problems(branch, writerSchema, path).length === 0;
    });
    if (readable) return [];
    const writer = this.writer.node(writerSchema);
    return [{ path, reason: `no branch of the union reads ${isUnion(writer) ? 'a union' : label(writer)}` }];
  }
}

function nameProblem(reader: Named, writer: Named, path: string): SchemaProblem[] {
  const { name: mine = '', aliases = [] } = reader;
  const { name: theirs = '' } = writer;
  if (shortName(mine) === shortName(theirs) || aliases.includes(theirs)) return [];
  return [{ path, reason: `${theirs} can't be read as ${mine}: the names differ` }];
}

function symbolProblem(reader: Named, writer: Named, path: string): SchemaProblem[] {
  if (reader.default !== undefined) return [];
  const missing = (writer.symbols ?? []).filter((symbol) => !reader.symbols?.includes(symbol));
  if (missing.length === 0) return [];
  return [{ path, reason: `symbol ${missing.join(', ')} is unknown and the enum has no default` }];
}
