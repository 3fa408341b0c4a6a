import type { Analysis, ColourName, FormalityLevel, PaletteColour } from './analysis.js';

type Pattern = Analysis['pattern'];

const DARK: ReadonlySet<ColourName> = new Set(['black', 'navy', 'grey', 'burgundy']);
const NEUTRAL: ReadonlySet<ColourName> = new Set([...DARK, 'white', 'beige', 'camel', 'brown']);
const LOUD_CHROMA = 0.13;
const LEVELS = ['CASUAL', 'SMART_CASUAL', 'BUSINESS', 'FORMAL'] as const;

/**
 * How formal the colours and the pattern look: a guess from two signs only, never from cut, cloth or
 * occasion, so it never says FORMAL by itself. Each point up or down carries its reason.
 */
export function formalityOf(
  palette: readonly PaletteColour[],
  pattern: Pattern,
): { level: FormalityLevel; reasons: string[] } {
  const first = palette[0];
  if (first === undefined) return { level: 'UNKNOWN', reasons: ['no garment was found'] };
  const reasons: string[] = [];
  let points = 0;
  const say = (change: number, reason: string): void => {
    points += change;
    reasons.push(reason);
  };
  if (DARK.has(first.name)) say(1, `${first.name} is a dark, quiet colour`);
  else if (NEUTRAL.has(first.name)) say(0.5, `${first.name} is a neutral colour`);
  else if (Math.hypot(first.lab.a, first.lab.b) > LOUD_CHROMA) say(-1, `${first.name} here is a loud colour`);
  else say(0, `${first.name} is neither quiet nor loud`);
  if (pattern.kind === 'PLAIN') say(0.5, 'it is plain');
  else if (pattern.kind === 'STRIPED') say(0, 'stripes go either way');
  else if (pattern.kind === 'CHECKED') say(-0.5, 'checks look relaxed');
  else say(-1, pattern.kind === 'DOTTED' ? 'dots look playful' : 'its pattern looks playful');
  if (palette.length >= 3) say(-0.5, `${palette.length} colours at once look relaxed`);
  const level = LEVELS[points >= 1.5 ? 2 : points >= 0.5 ? 1 : 0] ?? 'UNKNOWN';
  return { level, reasons };
}
