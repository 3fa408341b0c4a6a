import type { Analysis, Step } from '../entities/analysis.entity.js';

/** A state after which nothing comes. */
export function isFinal(state: Analysis['state']): boolean {
  return state === 'done' || state === 'failed';
}

/** The analysis after `step`. What has ended stays as it ended: a late "analysing" changes nothing. */
export function afterStep<A extends Pick<Analysis, 'state' | 'steps'>>(analysis: A, step: Step): A {
  if (isFinal(analysis.state)) return analysis;
  return { ...analysis, state: step.name, steps: [...analysis.steps, step] };
}
