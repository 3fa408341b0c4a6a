import type { Seeded } from '@aura/testing';

/** Something that can be crashed and started again: a service or a server. */
export interface Victim {
  readonly name: string;
  crash(): Promise<void>;
  start(): Promise<void>;
}

interface Strike {
  readonly victim: Victim;
  /** After the round began (ms). */
  readonly afterMs: number;
  readonly downMs: number;
}

export interface Round {
  readonly strikes: readonly Strike[];
  /**
   * How many answers have to be applied after the round before the next one begins: 0 strikes into the
   * recovery.
   */
  readonly progress: number;
}

/** The chance of every other victim to fall in the same round. */
const WITH_IT = 0.3;

/**
 * The rounds of a storm, all drawn before it begins, so that a seed gives them again. Pure. Each victim
 * has its turn, and others may fall with it (`withIt`: the chance of each).
 */
export function planStorm(
  random: Seeded,
  victims: readonly Victim[],
  rounds: number,
  withIt = WITH_IT,
): Round[] {
  const order = random.shuffle(victims);
  return Array.from({ length: rounds }, (_, round) => {
    const first = order[round % order.length] as Victim;
    const struck = victims.filter((victim) => victim === first || random.chance(withIt));
    const strikes = struck.map((victim) => ({
      victim,
      afterMs: random.int(400),
      downMs: random.int(1_000),
    }));
    return { strikes, progress: random.chance(0.3) ? 0 : 1 + random.int(150) };
  });
}

/** Lets all strikes of a round fall; resolves when everything has been started again. */
export async function letFall({ strikes }: Round): Promise<void> {
  await Promise.all(
    strikes.map(async ({ victim, afterMs, downMs }) => {
      await pause(afterMs);
      await victim.crash();
      await pause(downMs);
      await victim.start();
    }),
  );
}

/** How long a fault lasts; never used to wait for something. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
