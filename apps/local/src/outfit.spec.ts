import { describe, expect, it } from 'vitest';
import { bySuiting, sizeFrom, wishFor, type Garment } from './outfit.js';
import type { Analysis } from './photo-run.js';

const seenAs = (level: string): Analysis['result'] =>
  ({ formality: { level, reasons: [] } }) as unknown as Analysis['result'];
const garment = (sku: string, colours: string[], pattern = 'plain'): Garment => ({
  sku,
  name: sku,
  colours,
  pattern,
});
const order = (garments: Garment[], seen: string[], worn: string[] = []): string[] =>
  bySuiting(garments, seen, worn).map(({ sku }) => sku);

describe('an outfit for a photo', () => {
  it('is as formal as the photo, and casual where that is not known', () => {
    expect(wishFor(seenAs('business'))).toEqual({
      formality: 'business',
      categories: ['trousers', 'shoes', 'blazer'],
    });
    for (const unknown of [seenAs('unknown'), null])
      expect(wishFor(unknown)).toEqual({ formality: 'casual', categories: ['jeans', 'shoes', 'jacket'] });
  });

  it('prefers quiet colours to loud ones, and plain to patterned', () => {
    const wardrobe = [
      garment('1-red', ['red']),
      garment('2-checked', ['grey', 'white'], 'checked'),
      garment('3-grey', ['grey']),
    ];
    expect(order(wardrobe, ['blue'])).toEqual(['3-grey', '2-checked', '1-red']);
  });

  it('takes up what else is in the photo, and neither its main colour nor one that is worn already', () => {
    const wardrobe = [
      garment('1-black', ['black']),
      garment('2-grey', ['grey']),
      garment('3-navy', ['navy']),
    ];
    expect(order(wardrobe, ['blue', 'navy'])).toEqual(['3-navy', '1-black', '2-grey']);
    expect(order(wardrobe, ['blue', 'navy'], ['navy'])).toEqual(['1-black', '2-grey', '3-navy']);
    expect(order(wardrobe, ['black'])).toEqual(['2-grey', '3-navy', '1-black']);
  });

  it('has the usual size where it is there, else the one with most pieces, and none that is sold out', () => {
    expect(
      sizeFrom([
        { size: 'S', onHand: 9 },
        { size: 'M', onHand: 1 },
      ]),
    ).toBe('M');
    expect(
      sizeFrom([
        { size: 'M', onHand: 0 },
        { size: 'S', onHand: 2 },
        { size: 'L', onHand: 3 },
      ]),
    ).toBe('L');
    expect(sizeFrom([{ size: 'M', onHand: 0 }])).toBeUndefined();
  });
});
