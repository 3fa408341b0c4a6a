import type { Model } from './model.js';
import { keyOf, type Budget, type World } from './world.js';

export interface Explored {
  readonly states: number;
  /** Worlds in which nothing more has to happen. */
  readonly ends: number;
  /** The first one found, with the way to it. */
  readonly violation: { readonly what: string; readonly way: readonly string[] } | undefined;
}

/** Every world that can be reached, breadth first: the way to a violation is a shortest one. */
export function explore(model: Model, budget: Budget, most = 3_000_000): Explored {
  const initial = model.initial(budget);
  const came = new Map<string, { readonly from: string; readonly by: string }>();
  const first = keyOf(initial);
  came.set(first, { from: '', by: 'the saga is started' });
  let frontier: { readonly world: World; readonly key: string }[] = [{ world: initial, key: first }];
  let ends = 0;
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { world, key } of frontier) {
      const needed = model.needed(world);
      const isEnd = needed.length === 0;
      if (isEnd) ends++;
      const what = model.violation(world) ?? (isEnd ? model.unfinished(world) : undefined);
      if (what !== undefined) return { states: came.size, ends, violation: { what, way: wayTo(came, key) } };
      for (const { name, world: after } of [...needed, ...model.mishaps(world)]) {
        const afterKey = keyOf(after);
        if (came.has(afterKey)) continue;
        came.set(afterKey, { from: key, by: name });
        next.push({ world: after, key: afterKey });
      }
      if (came.size > most) throw new Error(`more than ${most} states: make the budget smaller`);
    }
    frontier = next;
  }
  return { states: came.size, ends, violation: undefined };
}

function wayTo(came: ReadonlyMap<string, { from: string; by: string }>, key: string): string[] {
  const way: string[] = [];
  for (let at = came.get(key); at; at = came.get(at.from)) way.unshift(at.by);
  return way;
}
