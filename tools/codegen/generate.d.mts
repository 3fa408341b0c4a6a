/**
 * The parts of @aura/contracts that codegen decides by. Not imported from there, not even as types: every
 * project's configuration depends on tools, so that tools can depend on no lib.
 */
export interface ContractsLibrary {
  fingerprintOf(schema: never): string;
  schemaProblem(schema: never): string | undefined;
  revisionProblems(later: never, earlier: never): { path: string; reason: string }[];
}

/** The command that writes what `check` found stale. */
export const CURE: string;

export function generate(options: {
  /** The folder `schemas`. */
  folder: string;
  mode: 'write' | 'check' | 'release';
  contracts: ContractsLibrary;
}): Promise<{ problems: string[]; summary: string }>;
