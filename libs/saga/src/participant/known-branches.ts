import type { BranchType } from '@aura/contracts';
import { InvariantError } from '@aura/platform';
import { BranchCodec } from '../branch-codec.js';
import { keyOf, type BranchRow } from './branch-row.js';
import type { Ask, ExternalParticipant, OutsideLimits, Participant } from './participant.js';

/** A branch type of this service, and what does it. */
export interface ParticipantEntry {
  readonly type: BranchType;
  readonly participant: Participant | ExternalParticipant;
}

interface Known {
  readonly type: BranchType;
  readonly codec: BranchCodec;
}

/** A branch type whose prepare happens in this database. */
export interface LocalBranch extends Known {
  readonly participant: Participant;
  readonly outside?: undefined;
}

export interface ExternalBranch extends Known {
  readonly participant: ExternalParticipant;
  readonly outside: Required<OutsideLimits>;
}

export type KnownBranch = LocalBranch | ExternalBranch;

/** The branch types of one service, by name. */
export class KnownBranches {
  readonly #byName = new Map<string, KnownBranch>();

  /** Throws `InvariantError` for a type of another service, for two of one type, and for a wrong kind. */
  constructor(service: string, entries: readonly ParticipantEntry[]) {
    for (const entry of entries) {
      const { name, service: owner } = entry.type;
      if (owner !== service)
        throw new InvariantError(`${name} belongs to ${owner}: ${service} can't be its participant`);
      if (this.#byName.has(name)) throw new InvariantError(`${name} has two participants: keep one`);
      this.#byName.set(name, branchOf(entry));
    }
  }

  of(typeName: string): KnownBranch | undefined {
    return this.#byName.get(typeName);
  }

  /** The services whose sagas may ask for any of them, sorted. */
  coordinators(): string[] {
    return [...new Set([...this.#byName.values()].flatMap(({ type }) => type.coordinators))].toSorted();
  }

  get size(): number {
    return this.#byName.size;
  }
}

const DEFAULTS = { callTimeoutMs: 10_000, arrivalLimitMs: 300_000, keyTtlMs: 86_400_000 };

function branchOf({ type, participant }: ParticipantEntry): KnownBranch {
  const codec = new BranchCodec(type);
  const isExternal = 'call' in participant;
  const fits = type.kind === 'external' ? isExternal : !isExternal || type.kind === 'pivot';
  if (!fits)
    throw new InvariantError(
      isExternal
        ? `${type.name} is ${type.kind}, but its participant calls somebody outside: declare it external`
        : `${type.name} is external: its participant needs call, lookUp and release`,
    );
  if (!('call' in participant)) return { type, codec, participant };
  return { type, codec, participant, outside: { ...DEFAULTS, ...participant.limits } };
}

/** What a participant gets of a row. Throws `UnreadableEventError`. */
export function askIn(row: BranchRow, { codec }: Known): Ask {
  const { sagaId, branch, coordinator, input, deadline } = row;
  if (input === null || deadline === null)
    throw new InvariantError(`branch ${branch} of saga ${sagaId} was never asked: it has no input`);
  return { sagaId, branch, coordinator, input: codec.decode(input), deadline };
}

/** The type of a row. A service that gives a branch type up has to finish its branches first. */
export function knownOf({ branch, sagaId, branchType }: BranchRow, branches: KnownBranches): KnownBranch {
  const known = branches.of(branchType);
  if (known) return known;
  throw new InvariantError(
    `branch ${branch} of saga ${sagaId} is of ${branchType}, which no participant of this program does: ` +
      'start one that does',
  );
}

/** As `knownOf`, of a row that asks outside. */
export function externalOf(row: BranchRow, branches: KnownBranches): ExternalBranch {
  const branch = knownOf(row, branches);
  if (branch.outside) return branch;
  throw new InvariantError(`${row.branchType} is not external any more, and ${keyOf(row)} is ${row.state}`);
}
