import type { AvroSchema } from './event.js';
import type { Json } from './fingerprint.js';
import { isUnion, PROMOTIONS, Resolved, type Named } from './resolved-schema.js';

/** A number whose unit differs between two schemas that resolve: the same bytes, another meaning. */
export interface MeaningProblem {
  readonly path: string;
  readonly reason: string;
}

/**
 * Where reader and writer give the same bytes another logical type or scale: milliseconds read as
 * microseconds. Avro's resolution ignores logical types, and so do registries. A plain type on one side is
 * no problem: nothing was said.
 */
export function meaningProblems(readerSchema: AvroSchema, writerSchema: AvroSchema): MeaningProblem[] {
  const reader = new Resolved(readerSchema);
  const writer = new Resolved(writerSchema);
  const problems: MeaningProblem[] = [];
  const seen = new Set<string>();
  const visit = (r: Json | undefined, w: Json | undefined, path: string): void => {
    if (r === undefined || w === undefined) return;
    for (const written of branches(writer, w)) {
      const read = counterpart(branches(reader, r), written);
      if (!read) continue;
      const [now, then] = [unitOf(read), unitOf(written)];
      if (now !== undefined && then !== undefined && now !== then)
        problems.push({ path, reason: `${then} would be read as ${now}` });
      visit(read.items, written.items, `${path}[]`);
      visit(read.values, written.values, `${path}{}`);
      // A recursive record meets itself.
      const pair = `${read.name} ${written.name}`;
      if (!read.fields || seen.has(pair)) continue;
      seen.add(pair);
      for (const field of read.fields) {
        const source = written.fields?.find(
          ({ name }) => name === field.name || field.aliases?.includes(name),
        );
        visit(field.type, source?.type, path === '' ? field.name : `${path}.${field.name}`);
      }
    }
  };
  visit(reader.root, writer.root, '');
  return problems;
}

function branches(side: Resolved, schema: Json): readonly Named[] {
  const node = side.node(schema);
  return isUnion(node) ? node.map((branch) => side.node(branch) as Named) : [node];
}

/** The branch that reads `written`: of its own type, else one that it is promoted to. */
function counterpart(readers: readonly Named[], written: Named): Named | undefined {
  return (
    readers.find((r) => r.type === written.type && r.name === written.name) ??
    readers.find((r) => PROMOTIONS[r.type]?.includes(written.type))
  );
}

function unitOf({ logicalType, scale = 0 }: Named): string | undefined {
  return logicalType === 'decimal' ? `decimal of scale ${scale}` : logicalType;
}
