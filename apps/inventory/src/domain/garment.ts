import { z } from 'zod';
import {
  CATEGORIES,
  CATEGORY_NAMES,
  COLOURS,
  FORMALITIES,
  PATTERNS,
  SEASONS,
  SIZES,
  type Size,
} from './vocabulary.js';

const once = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

/** What a size begins with when it is new: pieces in the house. Later the table `stock` counts them. */
const FirstStock = z.strictObject({ size: z.enum(SIZES), pieces: z.int().min(0).max(1_000) });

/**
 * One garment of the catalogue: a model in one colourway. A plain one has one colour, a patterned one two or
 * three, the one that covers most first.
 */
export const GarmentSchema = z
  .strictObject({
    sku: z.string().regex(/^[A-Z]{3}-\d{3}-[A-Z]{3}$/, 'must look like SHI-101-WHT'),
    name: z.string().trim().min(5).max(80),
    category: z.enum(CATEGORY_NAMES),
    colours: z.array(z.enum(COLOURS)).min(1).max(3).refine(once, 'a colour stands twice'),
    pattern: z.enum(PATTERNS),
    formality: z.enum(FORMALITIES),
    seasons: z.array(z.enum(SEASONS)).min(1).refine(once, 'a season stands twice'),
    priceCents: z.int().describe('EUR, in cents, VAT included'),
    stock: z.array(FirstStock).min(1),
  })
  .superRefine((garment, context) => {
    const { sizes, priceCents } = CATEGORIES[garment.category];
    const [least, most] = priceCents;
    if (garment.priceCents < least || garment.priceCents > most)
      context.addIssue(
        `${garment.priceCents} cents is no price of a ${garment.category}: it costs ${least} to ${most}`,
      );
    const named = garment.stock.map(({ size }) => size);
    const strange = named.filter((size) => !(sizes as readonly Size[]).includes(size));
    if (strange.length > 0) context.addIssue(`a ${garment.category} has no size ${strange.join(', ')}`);
    if (!once(named)) context.addIssue('a size stands twice');
    if ((garment.pattern === 'PLAIN') !== (garment.colours.length === 1))
      context.addIssue(
        `${garment.pattern} with ${garment.colours.length} colours: only what is plain has one`,
      );
  });

export type CatalogueGarment = z.output<typeof GarmentSchema>;
