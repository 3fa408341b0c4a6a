import type { Analysis, Step } from '../entities/analysis.entity.js';

/** A state after which nothing comes. */
export function isFinal(state: Analysis['state']): boolean {
  return state === 'done' || state === 'failed';
}

export type Progress = Pick<Analysis, 'state' | 'steps'>;

/** The progress after `step`. What has ended stays as it ended: a late "analysing" changes nothing. */
export function afterStep({ state, steps }: Progress, step: Step): Progress {
  return isFinal(state) ? { state, steps } : { state: step.name, steps: [...steps, step] };
}
