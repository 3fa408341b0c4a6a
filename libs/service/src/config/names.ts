import { distance } from 'fastest-levenshtein';

/** `databaseUrl` -> `AURA_DATABASE_URL`. */
export function variableOf(prefix: string, setting: string): string {
  return prefix + setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** A variable that no setting has, and the one that was probably meant. */
export interface UnknownVariable {
  readonly variable: string;
  readonly nearest: string;
  /** So near that it is a slip of the pen: worth refusing to start. */
  readonly slip: boolean;
}

/**
 * The variables under `prefix` that nobody asked for, with the nearest known one. Near ones are slips; far
 * ones may belong to somebody else (Kubernetes sets `AURA_GATEWAY_PORT_3000_TCP` for a Service of that
 * name) and are only worth a word.
 */
export function unknownVariables(
  prefix: string,
  present: readonly string[],
  known: readonly string[],
): UnknownVariable[] {
  const taken = new Set(known);
  return present
    .filter((variable) => variable.startsWith(prefix) && !taken.has(variable))
    .map((variable) => {
      const [nearest = '', edits = Infinity] = nearestOf(variable, known);
      return { variable, nearest, slip: edits <= slipLimit(variable.length - prefix.length) };
    });
}

/**
 * One edit in three letters, at most three: `DATABSE_URL` is a slip of `DATABASE_URL`, `LOG` is not one of
 * `NAME`.
 */
function slipLimit(letters: number): number {
  return Math.min(3, Math.floor(letters / 3));
}

function nearestOf(variable: string, known: readonly string[]): [string, number] | [] {
  let best: [string, number] | [] = [];
  for (const candidate of known) {
    const edits = distance(variable, candidate);
    if (best.length === 0 || edits < best[1]) best = [candidate, edits];
  }
  return best;
}
