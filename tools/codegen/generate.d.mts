import type { AvroSchema, SchemaProblem } from '@aura/contracts';

/** The parts of @aura/contracts that codegen decides by. */
export interface ContractsLibrary {
  fingerprintOf(schema: AvroSchema): string;
  schemaProblem(schema: AvroSchema): string | undefined;
  revisionProblems(later: AvroSchema, earlier: AvroSchema): SchemaProblem[];
}

/** The command that writes what `check` found stale. */
export const CURE: string;

export function generate(options: {
  /** The folder `schemas`. */
  folder: string;
  mode: 'write' | 'check' | 'release';
  contracts: ContractsLibrary;
}): Promise<{ problems: string[]; summary: string }>;
