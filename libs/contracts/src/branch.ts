import type { AvroSchema } from './event.js';
import { fingerprintOf } from './fingerprint.js';

/**
 * How a branch of a saga behaves:
 * - `reservable`: prepare, commit, cancel, all in the owner's database;
 * - `external`: a reservable whose prepare calls somebody outside;
 * - `compensatable`: acts in prepare, and has an undo;
 * - `retriable`: acts only after the commit, and can't refuse;
 * - `pivot`: asked alone when all others are prepared; its success is the decision.
 */
export type BranchKind = 'reservable' | 'external' | 'compensatable' | 'retriable' | 'pivot';

export const BRANCH_KINDS: readonly BranchKind[] = [
  'reservable',
  'external',
  'compensatable',
  'retriable',
  'pivot',
];

/**
 * The contract of one branch type, generated from `schemas/<owner>/<Branch>.v<N>.avsc` with `aura.branch`:
 * who owns it, who may ask for it, and the schema of its input.
 *
 * An owner reads every revision up to its own. A newer one it refuses: the owner is deployed first.
 */
export interface BranchType<Out extends object = object, In extends object = Out> {
  /** `<owner>.<Branch>`. */
  readonly name: string;
  /** The owner: the only service whose votes count. */
  readonly service: string;
  readonly kind: BranchKind;
  /** The services whose sagas may ask for it. */
  readonly coordinators: readonly string[];
  readonly version: number;
  /** Of the input, in its newest revision. */
  readonly schema: AvroSchema;
  readonly fingerprint: string;
  /** Older revisions, whose inputs can still be read. */
  readonly earlier: readonly AvroSchema[];
  /** Never set: carries the types. */
  readonly _types?: { out: Out; in: In };
}

/** What generated code says of a branch type. */
export type BranchDefinition = Pick<BranchType, 'service' | 'kind' | 'coordinators' | 'version' | 'schema'> &
  Partial<Pick<BranchType, 'earlier'>>;

/** Makes a branch type. Called by generated code and by tests; schemas are checked where it is generated. */
export function defineBranch<Out extends object, In extends object = Out>(
  definition: BranchDefinition,
): BranchType<Out, In> {
  const { name, namespace } = definition.schema as unknown as { name: string; namespace: string };
  return Object.freeze({
    earlier: [],
    ...definition,
    name: `${namespace}.${name}`,
    fingerprint: fingerprintOf(definition.schema),
  });
}
