import { z } from 'zod';
import { Secret } from './secret.js';

/**
 * Kinds of settings, over strings: every environment variable is one. Chain `.default(...)`, `.optional()`
 * and `.describe(...)` as with any zod schema.
 */

/** Text that is never printed. `min` is in characters. */
export function secret(min = 1) {
  return z
    .string()
    .min(min)
    .transform((value) => new Secret(value))
    .meta({ secret: true });
}

/** A URL that may carry a password, so a secret. `protocols` without the colon. */
export function secretUrl(...protocols: string[]) {
  return z
    .string()
    .refine((value) => hasProtocol(value, protocols), `must be a URL that starts with ${schemes(protocols)}`)
    .transform((value) => new Secret(value))
    .meta({ secret: true });
}

/** A URL without anything to hide. `protocols` without the colon. */
export function url(...protocols: string[]) {
  return z
    .string()
    .refine((value) => hasProtocol(value, protocols), `must be a URL that starts with ${schemes(protocols)}`);
}

/** A whole number, in decimal digits. */
export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
}

/** A share of the whole: 0 to 1, as decimal digits. */
export function share() {
  return z
    .string()
    .regex(/^(?:0|0?\.\d{1,9}|1(?:\.0{1,9})?)$/, 'must be a number from 0 to 1')
    .transform(Number);
}

/** A TCP port; 0 lets the system choose a free one. */
export function port() {
  return integer(0, 65_535);
}

/** `true` or `1`, `false` or `0`. */
export function flag() {
  return z.enum(['true', 'false', '1', '0']).transform((value) => value === 'true' || value === '1');
}

/** Values between commas, without the spaces around them; never empty. */
export function list() {
  return z
    .string()
    .transform((value): readonly string[] =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.length > 0, 'must name at least one');
}

function hasProtocol(value: string, protocols: readonly string[]): boolean {
  return URL.canParse(value) && protocols.includes(new URL(value).protocol.slice(0, -1));
}

function schemes(protocols: readonly string[]): string {
  return protocols.map((p) => `${p}://`).join(' or ');
}
