// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
import { defineSharedEvent, type SharedEvent } from '@aura/contracts';

/** A branch that had to wait for others is asked now: ordered, pivot, or retriable after the commit. */
export interface BranchAsked {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  readonly sagaType: string;
  /** Of the saga's definition; pinned for this saga. */
  readonly sagaVersion: number;
  /** Until then every branch has to be prepared. */
  readonly deadline: Date;
  readonly ask: BranchAskedAsk;
}

/** What a participant is asked to prepare. */
export interface BranchAskedAsk {
  /** The branch's name within the saga. */
  readonly branch: string;
  /** Full name of the branch's contract: <owner>.<Branch>. */
  readonly branchType: string;
  /** Fingerprint of the revision of the contract that the input was written with. */
  readonly inputSchema: string;
  /** The input as Avro, without a frame. */
  readonly input: Buffer;
}

/** A branch that had to wait for others is asked now: ordered, pivot, or retriable after the commit. Key: `sagaId`. Newest revision: 1. */
export const BranchAsked: SharedEvent<BranchAsked> = defineSharedEvent<BranchAsked>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'BranchAsked',
    namespace: 'aura',
    doc: 'A branch that had to wait for others is asked now: ordered, pivot, or retriable after the commit.',
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      { name: 'sagaType', type: 'string' },
      { name: 'sagaVersion', type: 'int', doc: "Of the saga's definition; pinned for this saga." },
      {
        name: 'deadline',
        type: { type: 'long', logicalType: 'timestamp-millis' },
        doc: 'Until then every branch has to be prepared.',
      },
      {
        name: 'ask',
        type: {
          type: 'record',
          name: 'Ask',
          doc: 'What a participant is asked to prepare.',
          fields: [
            { name: 'branch', type: 'string', doc: "The branch's name within the saga." },
            {
              name: 'branchType',
              type: 'string',
              doc: "Full name of the branch's contract: <owner>.<Branch>.",
            },
            {
              name: 'inputSchema',
              type: 'string',
              doc: 'Fingerprint of the revision of the contract that the input was written with.',
            },
            { name: 'input', type: 'bytes', doc: 'The input as Avro, without a frame.' },
          ],
        },
      },
    ],
  },
});

/** Undo this branch now; to a pivot: if you have not run, don't. */
export interface BranchCancelAsked {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  /** The branch's name within the saga. */
  readonly branch: string;
  /** Full name of the branch's contract: <owner>.<Branch>. */
  readonly branchType: string;
}

/** Undo this branch now; to a pivot: if you have not run, don't. Key: `sagaId`. Newest revision: 1. */
export const BranchCancelAsked: SharedEvent<BranchCancelAsked> = defineSharedEvent<BranchCancelAsked>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'BranchCancelAsked',
    namespace: 'aura',
    doc: "Undo this branch now; to a pivot: if you have not run, don't.",
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      { name: 'branch', type: 'string', doc: "The branch's name within the saga." },
      { name: 'branchType', type: 'string', doc: "Full name of the branch's contract: <owner>.<Branch>." },
    ],
  },
});

/** What a participant says to one coordinator of one branch or of many: those that were settled together. */
export interface BranchesAnswered {
  /** Of the first answer: it spreads these events over the partitions. They have no order. UUID. */
  readonly firstSagaId: string;
  /** The service that started these sagas and decides them. */
  readonly coordinator: string;
  readonly answers: readonly BranchesAnsweredAnswer[];
}

/** What one branch says. */
export interface BranchesAnsweredAnswer {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  /** The branch's name within the saga. */
  readonly branch: string;
  /** Full name of the branch's contract: <owner>.<Branch>. */
  readonly branchType: string;
  readonly says: BranchesAnsweredSays;
  /** Of PREPARED: JSON, what the participant wants to be known of its hold. */
  readonly reply: null | string;
  /** Of REFUSED, for programs: why, in one word. */
  readonly code: null | string;
  /** Of REFUSED, for people: why, in one sentence. */
  readonly reason: null | string;
  /** Where it was settled, in the trace of its saga. Null where that is not recorded. */
  readonly traceparent: null | string;
}

/** PREPARED: it holds, and can commit whatever happens. REFUSED: it will not prepare; nothing is held. COMMITTED. CANCELLED: it is undone. NEVER_RAN: it had not run, and never will. */
export type BranchesAnsweredSays = 'PREPARED' | 'REFUSED' | 'COMMITTED' | 'CANCELLED' | 'NEVER_RAN';

/** What a participant says to one coordinator of one branch or of many: those that were settled together. Key: `firstSagaId`. Newest revision: 1. */
export const BranchesAnswered: SharedEvent<BranchesAnswered> = defineSharedEvent<BranchesAnswered>({
  version: 1,
  keyField: 'firstSagaId',
  schema: {
    type: 'record',
    name: 'BranchesAnswered',
    namespace: 'aura',
    doc: 'What a participant says to one coordinator of one branch or of many: those that were settled together.',
    'aura.key': 'firstSagaId',
    fields: [
      {
        name: 'firstSagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'Of the first answer: it spreads these events over the partitions. They have no order.',
      },
      { name: 'coordinator', type: 'string', doc: 'The service that started these sagas and decides them.' },
      {
        name: 'answers',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'Answer',
            doc: 'What one branch says.',
            fields: [
              {
                name: 'sagaId',
                type: { type: 'string', logicalType: 'uuid' },
                doc: 'UUIDv7: it says when the saga was started.',
              },
              { name: 'branch', type: 'string', doc: "The branch's name within the saga." },
              {
                name: 'branchType',
                type: 'string',
                doc: "Full name of the branch's contract: <owner>.<Branch>.",
              },
              {
                name: 'says',
                type: {
                  type: 'enum',
                  name: 'Says',
                  doc: 'PREPARED: it holds, and can commit whatever happens. REFUSED: it will not prepare; nothing is held. COMMITTED. CANCELLED: it is undone. NEVER_RAN: it had not run, and never will.',
                  symbols: ['PREPARED', 'REFUSED', 'COMMITTED', 'CANCELLED', 'NEVER_RAN'],
                },
              },
              {
                name: 'reply',
                type: ['null', 'string'],
                doc: 'Of PREPARED: JSON, what the participant wants to be known of its hold.',
              },
              { name: 'code', type: ['null', 'string'], doc: 'Of REFUSED, for programs: why, in one word.' },
              {
                name: 'reason',
                type: ['null', 'string'],
                doc: 'Of REFUSED, for people: why, in one sentence.',
              },
              {
                name: 'traceparent',
                type: ['null', 'string'],
                doc: 'Where it was settled, in the trace of its saga. Null where that is not recorded.',
              },
            ],
          },
        },
      },
    ],
  },
});

/** A participant holds and has not heard the decision: what is it? */
export interface DecisionAsked {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  /** The service that started the saga and decides it. */
  readonly coordinator: string;
  /** The branch's name within the saga. */
  readonly branch: string;
  /** Full name of the branch's contract: <owner>.<Branch>. */
  readonly branchType: string;
  readonly heldSince: Date;
}

/** A participant holds and has not heard the decision: what is it? Key: `sagaId`. Newest revision: 1. */
export const DecisionAsked: SharedEvent<DecisionAsked> = defineSharedEvent<DecisionAsked>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'DecisionAsked',
    namespace: 'aura',
    doc: 'A participant holds and has not heard the decision: what is it?',
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      { name: 'coordinator', type: 'string', doc: 'The service that started the saga and decides it.' },
      { name: 'branch', type: 'string', doc: "The branch's name within the saga." },
      { name: 'branchType', type: 'string', doc: "Full name of the branch's contract: <owner>.<Branch>." },
      { name: 'heldSince', type: { type: 'long', logicalType: 'timestamp-millis' } },
    ],
  },
});

/** The decision once more, for a participant that asked. */
export interface DecisionRepeated {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  /** The branch's name within the saga. */
  readonly branch: string;
  /** Full name of the branch's contract: <owner>.<Branch>. */
  readonly branchType: string;
  readonly decision: DecisionRepeatedDecision;
}

export type DecisionRepeatedDecision = 'COMMITTED' | 'ABORTED';

/** The decision once more, for a participant that asked. Key: `sagaId`. Newest revision: 1. */
export const DecisionRepeated: SharedEvent<DecisionRepeated> = defineSharedEvent<DecisionRepeated>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'DecisionRepeated',
    namespace: 'aura',
    doc: 'The decision once more, for a participant that asked.',
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      { name: 'branch', type: 'string', doc: "The branch's name within the saga." },
      { name: 'branchType', type: 'string', doc: "Full name of the branch's contract: <owner>.<Branch>." },
      { name: 'decision', type: { type: 'enum', name: 'Decision', symbols: ['COMMITTED', 'ABORTED'] } },
    ],
  },
});

/** The decision: every branch that was asked cancels, at once. */
export interface SagaAborted {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  /** Reservable and external ones: compensations are asked one by one. */
  readonly branches: readonly SagaAbortedBranch[];
  /** For programs: refused, deadline, cancelled or operator. */
  readonly code: string;
  /** For people: why, in one sentence. */
  readonly reason: string;
}

/** A branch that this decision is for. */
export interface SagaAbortedBranch {
  /** Within the saga. */
  readonly name: string;
  /** <owner>.<Branch>. */
  readonly branchType: string;
}

/** The decision: every branch that was asked cancels, at once. Key: `sagaId`. Newest revision: 1. */
export const SagaAborted: SharedEvent<SagaAborted> = defineSharedEvent<SagaAborted>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'SagaAborted',
    namespace: 'aura',
    doc: 'The decision: every branch that was asked cancels, at once.',
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      {
        name: 'branches',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'Branch',
            doc: 'A branch that this decision is for.',
            fields: [
              { name: 'name', type: 'string', doc: 'Within the saga.' },
              { name: 'branchType', type: 'string', doc: '<owner>.<Branch>.' },
            ],
          },
        },
        doc: 'Reservable and external ones: compensations are asked one by one.',
      },
      { name: 'code', type: 'string', doc: 'For programs: refused, deadline, cancelled or operator.' },
      { name: 'reason', type: 'string', doc: 'For people: why, in one sentence.' },
    ],
  },
});

/** The decision: every prepared branch commits. */
export interface SagaCommitted {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  readonly branches: readonly SagaCommittedBranch[];
}

/** A branch that this decision is for. */
export interface SagaCommittedBranch {
  /** Within the saga. */
  readonly name: string;
  /** <owner>.<Branch>. */
  readonly branchType: string;
}

/** The decision: every prepared branch commits. Key: `sagaId`. Newest revision: 1. */
export const SagaCommitted: SharedEvent<SagaCommitted> = defineSharedEvent<SagaCommitted>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'SagaCommitted',
    namespace: 'aura',
    doc: 'The decision: every prepared branch commits.',
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      {
        name: 'branches',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'Branch',
            doc: 'A branch that this decision is for.',
            fields: [
              { name: 'name', type: 'string', doc: 'Within the saga.' },
              { name: 'branchType', type: 'string', doc: '<owner>.<Branch>.' },
            ],
          },
        },
      },
    ],
  },
});

/** A saga was started: the ask for every branch that may start at once. */
export interface SagaStarted {
  /** UUIDv7: it says when the saga was started. UUID. */
  readonly sagaId: string;
  readonly sagaType: string;
  /** Of the saga's definition; pinned for this saga. */
  readonly sagaVersion: number;
  /** Until then every branch has to be prepared. */
  readonly deadline: Date;
  readonly asks: readonly SagaStartedAsk[];
}

/** What a participant is asked to prepare. */
export interface SagaStartedAsk {
  /** The branch's name within the saga. */
  readonly branch: string;
  /** Full name of the branch's contract: <owner>.<Branch>. */
  readonly branchType: string;
  /** Fingerprint of the revision of the contract that the input was written with. */
  readonly inputSchema: string;
  /** The input as Avro, without a frame. */
  readonly input: Buffer;
}

/** A saga was started: the ask for every branch that may start at once. Key: `sagaId`. Newest revision: 1. */
export const SagaStarted: SharedEvent<SagaStarted> = defineSharedEvent<SagaStarted>({
  version: 1,
  keyField: 'sagaId',
  schema: {
    type: 'record',
    name: 'SagaStarted',
    namespace: 'aura',
    doc: 'A saga was started: the ask for every branch that may start at once.',
    'aura.key': 'sagaId',
    fields: [
      {
        name: 'sagaId',
        type: { type: 'string', logicalType: 'uuid' },
        doc: 'UUIDv7: it says when the saga was started.',
      },
      { name: 'sagaType', type: 'string' },
      { name: 'sagaVersion', type: 'int', doc: "Of the saga's definition; pinned for this saga." },
      {
        name: 'deadline',
        type: { type: 'long', logicalType: 'timestamp-millis' },
        doc: 'Until then every branch has to be prepared.',
      },
      {
        name: 'asks',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'Ask',
            doc: 'What a participant is asked to prepare.',
            fields: [
              { name: 'branch', type: 'string', doc: "The branch's name within the saga." },
              {
                name: 'branchType',
                type: 'string',
                doc: "Full name of the branch's contract: <owner>.<Branch>.",
              },
              {
                name: 'inputSchema',
                type: 'string',
                doc: 'Fingerprint of the revision of the contract that the input was written with.',
              },
              { name: 'input', type: 'bytes', doc: 'The input as Avro, without a frame.' },
            ],
          },
        },
      },
    ],
  },
});
