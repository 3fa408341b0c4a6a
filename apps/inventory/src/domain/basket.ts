/** What may be asked for at once; the contract of `inventory.StockHold` says the same. */
export const MAX_LINES = 20;
export const MAX_QUANTITY = 20;

/** Pieces of one garment in one size. */
export interface Line {
  readonly sku: string;
  readonly size: string;
  readonly quantity: number;
}

/** How SKUs and sizes are written. What is written otherwise is none, and is not looked for. */
export const CODE = /^[\w-]{1,40}$/;

/** Names a SKU in a size, for maps; a blank stands in neither. */
export const pieceKey = ({ sku, size }: Pick<Line, 'sku' | 'size'>): string => `${sku} ${size}`;

/** Why a basket can't be served whatever is in stock, as a sentence; undefined where it can. */
export function basketProblem(lines: readonly Line[]): string | undefined {
  if (lines.length === 0) return 'the basket is empty';
  if (lines.length > MAX_LINES) return `the basket has ${lines.length} lines: at most ${MAX_LINES} are taken`;
  const seen = new Set<string>();
  for (const { sku, size, quantity } of lines) {
    if (!CODE.test(sku) || !CODE.test(size)) return 'a SKU or a size is not written as one';
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > MAX_QUANTITY)
      return `${quantity} pieces of ${sku} in size ${size}: 1 to ${MAX_QUANTITY} can be bought at once`;
    const key = pieceKey({ sku, size });
    if (seen.has(key)) return `${sku} in size ${size} stands twice in the basket`;
    seen.add(key);
  }
  return undefined;
}
