/**
 * What the analyser says of one picture; the same shape as the event `image-analysis.PhotoAnalysed`.
 *
 * Shares, confidences, brightness and contrast are 0..1. `Lab` is **OKLab** (Björn Ottosson, 2020; D65):
 * `l` is 0..1, `a` and `b` are about -0.4..0.4. Boxes are pixels of the upright picture, right and bottom
 * exclusive.
 */
export interface Analysis {
  readonly garment: { readonly present: boolean; readonly box: Box | null };
  /** By falling share; empty where no garment is present. The shares sum to 1. */
  readonly palette: readonly PaletteColour[];
  readonly pattern: { readonly kind: PatternKind; readonly confidence: number };
  /** Mean lightness (OKLab) of the garment, or of the whole picture where there is none. */
  readonly brightness: number;
  /** Distance between the 5th and the 95th percentile of that lightness. */
  readonly contrast: number;
  readonly temperature: Temperature;
  readonly formality: { readonly level: FormalityLevel; readonly reasons: readonly string[] };
  /** Which analyser answered: changes whenever the same bytes may get another answer. */
  readonly model: string;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** OKLab, see `Analysis`. */
export interface Lab {
  readonly l: number;
  readonly a: number;
  readonly b: number;
}

export interface PaletteColour {
  readonly name: ColourName;
  /** sRGB as `#rrggbb`, the median seen. */
  readonly hex: string;
  readonly lab: Lab;
  readonly share: number;
}

export type PatternKind = 'PLAIN' | 'STRIPED' | 'CHECKED' | 'DOTTED' | 'OTHER';
export type Temperature = 'COOL' | 'NEUTRAL' | 'WARM';
export type FormalityLevel = 'CASUAL' | 'SMART_CASUAL' | 'BUSINESS' | 'FORMAL' | 'UNKNOWN';

export const COLOUR_NAMES = [
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
export type ColourName = (typeof COLOUR_NAMES)[number];
