import { describe, expect, it } from 'vitest';
import type { ColourName, PaletteColour } from './analysis.js';
import { formalityOf } from './formality.js';

const colour = (name: ColourName, chroma: number): PaletteColour => ({
  name,
  hex: '#000000',
  lab: { l: 0.4, a: chroma, b: 0 },
  share: 1,
});
const plain = { kind: 'PLAIN', confidence: 1 } as const;

describe('formality', () => {
  it('knows nothing without a garment', () => {
    expect(formalityOf([], plain)).toEqual({ level: 'UNKNOWN', reasons: ['no garment was found'] });
  });

  it('takes plain dark for business, plain neutral for smart casual, loud or playful for casual', () => {
    expect(formalityOf([colour('navy', 0.05)], plain).level).toBe('BUSINESS');
    expect(formalityOf([colour('white', 0)], plain).level).toBe('SMART_CASUAL');
    expect(formalityOf([colour('orange', 0.17)], plain).level).toBe('CASUAL');
    expect(formalityOf([colour('navy', 0.05)], { kind: 'DOTTED', confidence: 1 }).level).toBe('CASUAL');
  });

  it('gives a reason for each sign', () => {
    const { reasons } = formalityOf([colour('red', 0.2), colour('white', 0), colour('blue', 0.1)], plain);
    expect(reasons).toEqual(['red here is a loud colour', 'it is plain', '3 colours at once look relaxed']);
  });
});
