import { z } from 'zod';
import { GarmentSchema, type CatalogueGarment } from './garment.js';

/** The columns of catalogue/garments.tsv, in their order. */
export const COLUMNS = [
  'sku',
  'name',
  'category',
  'colours',
  'pattern',
  'formality',
  'seasons',
  'price_cents',
  'stock',
] as const;

const MAX_NAMED = 20;

/** What is wrong with a catalogue, line by line. The service does not start with it. */
export class CatalogueError extends Error {
  override readonly name = 'CatalogueError';
  constructor(readonly problems: readonly string[]) {
    const more = problems.length > MAX_NAMED ? `; and ${problems.length - MAX_NAMED} more` : '';
    super(`the catalogue can't be used: ${problems.slice(0, MAX_NAMED).join('; ')}${more}`);
  }
}

/**
 * The garments of a catalogue: tab-separated, a header, one line each. Colours are separated by commas,
 * seasons and sizes by blanks, a size and its pieces by a colon. Throws `CatalogueError` with every problem.
 */
export function readCatalogue(text: string): CatalogueGarment[] {
  const [header, ...lines] = text.trimEnd().split('\n');
  if (header !== COLUMNS.join('\t')) throw new CatalogueError([`line 1 must name ${COLUMNS.join(', ')}`]);
  const problems: string[] = [];
  const garments: CatalogueGarment[] = [];
  const seen = new Map<string, number>();
  for (const [index, line] of lines.entries()) {
    const number = index + 2;
    const read = GarmentSchema.safeParse(cellsOf(line));
    if (!read.success) {
      problems.push(`line ${number}: ${z.prettifyError(read.error).replaceAll(/\s*\n\s*/g, ' ')}`);
      continue;
    }
    for (const unique of [read.data.sku, read.data.name]) {
      const first = seen.get(unique);
      if (first !== undefined) problems.push(`line ${number}: ${unique} stands on line ${first} already`);
      seen.set(unique, number);
    }
    garments.push(read.data);
  }
  if (garments.length === 0 && problems.length === 0) problems.push('it has no garment');
  if (problems.length > 0) throw new CatalogueError(problems);
  return garments;
}

/** Not checked yet: a cell that is missing is undefined, one too many has no name that the schema knows. */
function cellsOf(line: string): object {
  const cells = line.split('\t');
  const [sku, name, category, colours, pattern, formality, seasons, price, stock] = cells;
  return {
    sku,
    name,
    category,
    colours: colours?.split(', '),
    pattern,
    formality,
    seasons: seasons?.split(' '),
    priceCents: wholeNumber(price),
    stock: stock?.split(' ').map((cell) => {
      const [size, pieces, ...rest] = cell.split(':');
      return { size, pieces: rest.length > 0 ? undefined : wholeNumber(pieces) };
    }),
    ...(cells.length > COLUMNS.length ? { 'a tenth cell': cells[COLUMNS.length] } : {}),
  };
}

/** `Number` would take an empty cell for 0. */
const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
