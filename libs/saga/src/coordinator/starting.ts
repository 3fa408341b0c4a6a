import { createHash } from 'node:crypto';
import { newEventId, type NewEvent } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { ConflictError, InvariantError, traceHeaders } from '@aura/platform';
import { context, type Context } from '@opentelemetry/api';
import { BranchCodec, type EncodedInput } from '../branch-codec.js';
import type { AnySaga, Saga } from '../definition.js';
import type { CoordinatorEvents, LaterAsk } from './announce.js';
import { start } from './decide.js';
import { beginning } from './beginning.js';
import { evolve, wakeAt, type SagaState } from './saga-state.js';
import { insertSagas, sagasByKey, type NewSaga } from './store.js';

export interface StartOptions {
  /** The caller's own: a repeated start gives the first saga. At most 1,024 bytes. */
  readonly idempotencyKey?: string;
}

export interface StartedSaga {
  /** UUIDv7. */
  readonly id: string;
  /** False: it was started before, with the same idempotency key and the same input. */
  readonly isNew: boolean;
}

/** A start that is not written yet. */
export interface PlannedStart {
  readonly row: NewSaga;
  readonly event: NewEvent;
  /** Of whoever wants it started. */
  readonly trace: Context;
}

/** Starts sagas in their caller's transaction. */
export class Starting {
  readonly #codecs = new Map<string, BranchCodec>();
  readonly #labels: Set<string>;

  constructor(
    private readonly events: CoordinatorEvents,
    definitions: readonly AnySaga[],
    /** A saga was committed that has to be looked at by then. */
    private readonly onStarted: (wakeAt: number) => void,
  ) {
    this.#labels = new Set(definitions.map(({ label }) => label));
    for (const { type } of definitions.flatMap(({ branches }) => branches))
      this.#codecs.set(type.name, new BranchCodec(type));
  }

  /**
   * What a start will write, from its input alone. Throws `InvalidPayloadError` for an input that does not
   * fit a branch's contract.
   */
  plan<I extends object>(saga: Saga<I>, input: I, { idempotencyKey }: StartOptions, now: Date): PlannedStart {
    if (!this.#labels.has(saga.label))
      throw new InvariantError(`saga ${saga.label} is not among those that this service coordinates`);
    const at = now.getTime();
    const inputs = new Map(saga.branches.map((branch) => [branch.name, this.#encode(branch, input)]));
    const begun = beginning(saga, at);
    const facts = start(begun);
    const state = evolve(begun, facts, at);
    const { type, version } = saga;
    const later = laterAsks(state, inputs);
    const head = { id: newEventId(now), type, version, later };
    const asks = state.branches
      .filter((branch) => branch.state === 'ASKED')
      .map(({ name: branch, type: branchType }) => ({ branch, branchType, ...inputOf(inputs, branch) }));
    const deadline = new Date(state.deadline);
    return {
      row: {
        ...head,
        state,
        facts,
        revision: 0,
        trace: { ...traceHeaders() },
        idempotencyKey: idempotencyKey ?? null,
        inputHash: hashOf(inputs),
      },
      event: this.events.started.of({
        sagaId: head.id,
        sagaType: type,
        sagaVersion: version,
        deadline,
        asks,
      }),
      trace: context.active(),
    };
  }

  /**
   * Rows, timers and `SagaStarted` of all these starts, in the caller's transaction. Of each: the saga, or a
   * `ConflictError` for an idempotency key that was used with another input.
   */
  async startAll(work: Work, planned: readonly PlannedStart[]): Promise<(StartedSaga | ConflictError)[]> {
    const made = await insertSagas(
      work,
      planned.map(({ row }) => row),
      work.now,
    );
    const fresh = planned.filter(({ row }) => made.has(row.id));
    for (const { row, event, trace } of fresh)
      context.with(trace, () => work.raise(event, { correlationId: row.id }));
    const wakes = fresh.map(({ row }) => wakeAt(row.state) ?? row.state.movedAt);
    if (wakes.length > 0) work.afterCommit(() => this.onStarted(Math.min(...wakes)));
    const keys = planned.flatMap(({ row: { id, type, idempotencyKey: key } }) =>
      made.has(id) || key === null ? [] : [{ type, key }],
    );
    const earlier = await sagasByKey(work, keys);
    return planned.map(({ row }) => {
      if (made.has(row.id)) return { id: row.id, isNew: true };
      return repeated(
        row,
        earlier.find(({ type, key }) => type === row.type && key === row.idempotencyKey),
      );
    });
  }

  /** `plan` and `startAll` of one. Throws what these throw or give. */
  async start<I extends object>(
    work: Work,
    saga: Saga<I>,
    input: I,
    options: StartOptions = {},
  ): Promise<StartedSaga> {
    const [started] = await this.startAll(work, [this.plan(saga, input, options, work.now)]);
    if (started instanceof ConflictError) throw started;
    return started as StartedSaga;
  }

  #encode<I extends object>(branch: Saga<I>['branches'][number], from: I): EncodedInput {
    const { type } = branch;
    const codec = this.#codecs.get(type.name);
    if (!codec) throw new InvariantError(`${type.name} is not among the branches of this service's sagas`);
    return codec.encode(branch.input(from));
  }
}

function laterAsks(
  { branches }: SagaState,
  inputs: ReadonlyMap<string, EncodedInput>,
): Record<string, LaterAsk> {
  const waiting = branches.filter(({ state }) => state === 'WAITING');
  return Object.fromEntries(
    waiting.map(({ name }) => {
      const { inputSchema, input } = inputOf(inputs, name);
      return [name, { inputSchema, input: input.toString('base64') }];
    }),
  );
}

function inputOf(inputs: ReadonlyMap<string, EncodedInput>, branch: string): EncodedInput {
  const input = inputs.get(branch);
  if (!input) throw new InvariantError(`branch ${branch} has no input`);
  return input;
}

/** What the saga asks of everybody: two inputs that ask the same are the same. */
function hashOf(inputs: ReadonlyMap<string, EncodedInput>): Buffer {
  const hash = createHash('sha256');
  for (const [branch, { inputSchema, input }] of inputs)
    hash.update(`${branch} ${inputSchema} ${input.length}\n`).update(input);
  return hash.digest();
}

/** What a start with a key that was used before comes to. */
function repeated(
  { type, inputHash }: NewSaga,
  earlier: { readonly id: string; readonly inputHash: Buffer } | undefined,
): StartedSaga | ConflictError {
  if (!earlier) return new ConflictError(`a saga ${type} could not be started: its id is taken, try again`);
  if (inputHash && earlier.inputHash.equals(inputHash)) return { id: earlier.id, isNew: false };
  const words = `the idempotency key of this ${type} was used before, for another one (saga ${earlier.id})`;
  return new ConflictError(`${words}: use a new key`);
}
