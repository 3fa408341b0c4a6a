import type { Seeded } from '@aura/testing';
import type { Budget, Model, Step, World } from './world.js';

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
    const all = model.steps(world);
    const needed = all.filter(({ optional }) => !optional);
    const mishaps = all.filter(({ optional }) => optional);
    const isEnd = needed.length === 0;
    const some = mishaps.length > 0 && random.chance(MISHAP) ? mishaps : needed;
    const violation = model.violation(world) ?? (isEnd ? model.unfinished(world) : undefined);
    if (violation !== undefined || (isEnd && some === needed))
      return { steps: way.length, end: world, violation, way: violation === undefined ? [] : way };
    const step: Step = random.pick(some);
    way.push(step.name);
    world = step.world;
  }
}
