/**
 * The closed vocabularies of the catalogue. Pattern and formality are the symbols of
 * `image-analysis.PhotoAnalysed`, colours the names that its palette has: what was seen in a photo is
 * looked for here without a translation. A test compares them.
 */

export const COLOURS = [
  'black',
  'white',
  'grey',
  'navy',
  'blue',
  'light blue',
  'teal',
  'green',
  'olive',
  'yellow',
  'mustard',
  'orange',
  'red',
  'burgundy',
  'pink',
  'purple',
  'lilac',
  'brown',
  'camel',
  'beige',
] as const;
export type Colour = (typeof COLOURS)[number];

export const PATTERNS = ['PLAIN', 'STRIPED', 'CHECKED', 'DOTTED', 'OTHER'] as const;
export type Pattern = (typeof PATTERNS)[number];

/** From the beach to the ball. */
export const FORMALITIES = ['CASUAL', 'SMART_CASUAL', 'BUSINESS', 'FORMAL'] as const;
export type Formality = (typeof FORMALITIES)[number];

/** When it is worn; a garment has one to four of them. */
export const SEASONS = ['SPRING', 'SUMMER', 'AUTUMN', 'WINTER'] as const;
export type Season = (typeof SEASONS)[number];

const LETTERS = ['XS', 'S', 'M', 'L', 'XL', 'XXL'] as const;
/** Inches around the waist. */
const WAISTS = ['W28', 'W30', 'W32', 'W34', 'W36', 'W38'] as const;
/** European shoe sizes. */
const SHOES = ['36', '37', '38', '39', '40', '41', '42', '43', '44', '45', '46'] as const;
const ONE = ['ONE_SIZE'] as const;

/** Of all categories, smallest first. */
export const SIZES = [...LETTERS, ...WAISTS, ...SHOES, ...ONE] as const;
export type Size = (typeof SIZES)[number];

export interface CategoryRules {
  /** The sizes that its garments may have. */
  readonly sizes: readonly Size[];
  /** The least and the most that one costs, in cents. */
  readonly priceCents: readonly [number, number];
}

/** What a garment of each category may be: a price or a size outside of it is a slip of the pen. */
export const CATEGORIES = {
  T_SHIRT: { sizes: LETTERS, priceCents: [1_200, 5_000] },
  SHIRT: { sizes: LETTERS, priceCents: [3_000, 13_000] },
  BLOUSE: { sizes: LETTERS, priceCents: [3_000, 15_000] },
  SWEATER: { sizes: LETTERS, priceCents: [3_500, 20_000] },
  CARDIGAN: { sizes: LETTERS, priceCents: [4_000, 20_000] },
  BLAZER: { sizes: LETTERS, priceCents: [9_000, 40_000] },
  JACKET: { sizes: LETTERS, priceCents: [6_000, 45_000] },
  COAT: { sizes: LETTERS, priceCents: [12_000, 60_000] },
  TROUSERS: { sizes: WAISTS, priceCents: [4_000, 20_000] },
  JEANS: { sizes: WAISTS, priceCents: [4_500, 16_000] },
  SHORTS: { sizes: LETTERS, priceCents: [2_000, 9_000] },
  SKIRT: { sizes: LETTERS, priceCents: [3_000, 16_000] },
  DRESS: { sizes: LETTERS, priceCents: [4_000, 35_000] },
  SHOES: { sizes: SHOES, priceCents: [4_000, 28_000] },
  BOOTS: { sizes: SHOES, priceCents: [5_000, 35_000] },
  SCARF: { sizes: ONE, priceCents: [1_500, 12_000] },
  BELT: { sizes: LETTERS, priceCents: [1_500, 9_000] },
  BAG: { sizes: ONE, priceCents: [2_500, 35_000] },
} as const satisfies Record<string, CategoryRules>;
export type Category = keyof typeof CATEGORIES;
export const CATEGORY_NAMES = Object.keys(CATEGORIES) as [Category, ...Category[]];
