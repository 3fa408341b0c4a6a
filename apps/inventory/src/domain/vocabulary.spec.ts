import { readFileSync } from 'node:fs';
import { PhotoAnalysed } from '@aura/schemas';
import { expect, it } from 'vitest';
import { COLOURS, FORMALITIES, PATTERNS } from './vocabulary.js';

/** The symbols of an enum, wherever in the event's schema it stands. */
function symbolsOf(name: string, schema: unknown = PhotoAnalysed.schema): readonly string[] | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  const { name: own, symbols } = schema as { name?: string; symbols?: string[] };
  if (own === name && symbols) return symbols;
  for (const part of Object.values(schema)) {
    const found = symbolsOf(name, part);
    if (found) return found;
  }
  return undefined;
}

it('patterns and formalities are those that a photo can have', () => {
  expect(PATTERNS).toEqual(symbolsOf('PatternKind'));
  // A garment of the shop is never of unknown formality.
  expect([...FORMALITIES, 'UNKNOWN']).toEqual(symbolsOf('FormalityLevel'));
});

it('colours are those that image-analysis gives names to', () => {
  // An app imports no other app: the names are read where they stand.
  const source = readFileSync(
    new URL('../../../image-analysis/src/pixels/analysis.ts', import.meta.url),
    'utf8',
  );
  const list = /COLOUR_NAMES = \[([^\]]*)\]/.exec(source)?.[1] ?? '';
  expect([...list.matchAll(/'([^']+)'/g)].map(([, name]) => name)).toEqual(COLOURS);
});
