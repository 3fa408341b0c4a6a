import type { Seeded } from '@aura/testing';
import type { Model } from './model.js';
import type { Budget, World } from './world.js';

/** What a random run came to. */
export interface Wandered {
  readonly steps: number;
  readonly end: World;
  readonly violation: string | undefined;
  /** What happened, in order: only where there is a violation. */
  readonly way: readonly string[];
}

/** How often something that need not happen does. */
const MISHAP = 0.12;

/** One saga under a random schedule: everything that has to happen does, in any order, and some mishaps. */
export function wander(model: Model, budget: Budget, random: Seeded): Wandered {
  let world = model.initial(budget);
  const way: string[] = [];
  for (;;) {
    const needed = model.needed(world);
    const isEnd = needed.length === 0;
    const violation = model.violation(world) ?? (isEnd ? model.unfinished(world) : undefined);
    const mishaps = random.chance(MISHAP) ? model.mishaps(world) : [];
    const some = mishaps.length > 0 ? mishaps : needed;
    if (violation !== undefined || some.length === 0)
      return { steps: way.length, end: world, violation, way: violation === undefined ? [] : way };
    const step = random.pick(some);
    way.push(step.name);
    world = step.world;
  }
}
