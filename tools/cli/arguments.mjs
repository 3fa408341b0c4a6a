import { InvalidArgumentError } from 'commander';

/** How values are read from the command line; what can't be read is wrong usage. */

export function wholeNumber(min, max) {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
  };
}

/** 64 bits: kept as text. */
export function position(text) {
  if (/^\d{1,19}$/.test(text) && BigInt(text) < 2n ** 63n) return text;
  throw new InvalidArgumentError('Give a whole number of 64 bits.');
}

/** With a zone, so that it means the same on every machine. */
export function time(text) {
  const at = new Date(text);
  if (/(Z|[+-]\d\d:?\d\d)$/i.test(text) && !Number.isNaN(at.getTime())) return at.toISOString();
  throw new InvalidArgumentError('Give a time with its zone, as 2026-11-26T22:00:00Z.');
}

/** `15m`, `2h`, `3d`: the time that was so long ago. */
export function ago(text) {
  const [, number, unit] = /^(\d{1,5})([smhd])$/.exec(text) ?? [];
  if (!unit) throw new InvalidArgumentError('Give a time span: 30s, 15m, 2h or 3d.');
  const seconds = Number(number) * { s: 1, m: 60, h: 3_600, d: 86_400 }[unit];
  return new Date(Date.now() - seconds * 1_000).toISOString();
}

export function numbers(text) {
  const values = text.split(',').map((each) => each.trim());
  if (values.every((each) => /^\d{1,6}$/.test(each))) return values.map(Number);
  throw new InvalidArgumentError('Give numbers with commas between: 0,3,7.');
}

export function oneOf(...words) {
  return (text) => {
    if (words.includes(text)) return text;
    throw new InvalidArgumentError(`Give one of ${words.join(', ')}.`);
  };
}

export function limitOption(command) {
  return command.option('--limit <number>', 'most rows', wholeNumber(1, 1_000), 100);
}
