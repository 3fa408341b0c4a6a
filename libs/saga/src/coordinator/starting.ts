import { createHash } from 'node:crypto';
import { newEventId } from '@aura/contracts';
import type { Work } from '@aura/eventing';
import { ConflictError, InvariantError, traceHeaders } from '@aura/platform';
import { BranchCodec, type EncodedInput } from '../branch-codec.js';
import type { Saga } from '../definition.js';
import type { CoordinatorEvents, LaterAsk } from './announce.js';
import { start } from './decide.js';
import { beginning } from './beginning.js';
import { evolve, wakeAt, type SagaState } from './saga-state.js';
import { insertSaga, sagaByKey } from './store.js';

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

/** Starts sagas in their caller's transaction. */
export class Starting {
  readonly #codecs = new Map<string, BranchCodec>();
  readonly #labels: Set<string>;

  constructor(
    private readonly events: CoordinatorEvents,
    definitions: readonly Saga<never>[],
    /** A saga was committed that has to be looked at by then. */
    private readonly onStarted: (wakeAt: number) => void,
  ) {
    this.#labels = new Set(definitions.map(({ label }) => label));
    for (const { type } of definitions.flatMap(({ branches }) => branches))
      this.#codecs.set(type.name, new BranchCodec(type));
  }

  /**
   * The saga's row, its timers and its `SagaStarted`, with the caller's own rows in one transaction. Throws
   * `InvalidPayloadError` for an input that does not fit a branch's contract, and `ConflictError` for an
   * idempotency key that was used with another input.
   */
  async start<I extends object>(
    work: Work,
    saga: Saga<I>,
    input: I,
    { idempotencyKey }: StartOptions = {},
  ): Promise<StartedSaga> {
    if (!this.#labels.has(saga.label))
      throw new InvariantError(`saga ${saga.label} is not among those that this service coordinates`);
    const id = newEventId(work.now);
    const at = work.now.getTime();
    const inputs = new Map(saga.branches.map((branch) => [branch.name, this.#encode(branch, input)]));
    const begun = beginning(saga, at);
    const facts = start(begun);
    const state = evolve(begun, facts, at);
    const inputHash = hashOf(inputs);
    const later = laterAsks(state, inputs);
    const row = { id, type: saga.type, version: saga.version, state, later, revision: 0 };
    const key = idempotencyKey ?? null;
    const trace = { ...traceHeaders() };
    if (!(await insertSaga(work, { ...row, trace, idempotencyKey: key, inputHash, facts }, work.now)))
      return earlier(work, saga, idempotencyKey, inputHash);
    work.raise(
      this.events.started.of({
        sagaId: id,
        sagaType: saga.type,
        sagaVersion: saga.version,
        deadline: new Date(state.deadline),
        asks: state.branches
          .filter((branch) => branch.state === 'ASKED')
          .map(({ name, type }) => ({ branch: name, branchType: type, ...inputOf(inputs, name) })),
      }),
      { correlationId: id },
    );
    work.afterCommit(() => this.onStarted(wakeAt(state) ?? at));
    return { id, isNew: true };
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

async function earlier<I extends object>(
  work: Work,
  saga: Saga<I>,
  key: string | undefined,
  inputHash: Buffer,
): Promise<StartedSaga> {
  const known = key === undefined ? undefined : await sagaByKey(work, saga.type, key);
  if (!known)
    throw new ConflictError(`a saga ${saga.label} could not be started: its id is taken, try again`);
  if (!known.inputHash.equals(inputHash))
    throw new ConflictError(
      `the idempotency key of this ${saga.type} was used before, for another one (saga ${known.id}): ` +
        'use a new key',
    );
  return { id: known.id, isNew: false };
}
