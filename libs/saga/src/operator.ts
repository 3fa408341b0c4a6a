/**
 * What operators may ask of the sagas that a service started (docs/adr/0014, O1 to O3).
 *
 * Guarantees: an action is one step like any other, under the saga's lock: the operator's name and reason
 * stand in `saga_log` before what followed, and in `aura.operation`, in the same transaction. What the
 * answer shows was read after its commit. A dry run decides by the same rules and writes nothing.
 */
import { noteOperationIn, type Change, type Finding, type UnitsOfWork } from '@aura/eventing';
import { ConflictError, TerminalError, type Clock } from '@aura/platform';
import type { Pool } from 'pg';
import { taskCause } from './cause.js';
import type { Coordinator } from './coordinator/coordinator.js';
import { decide } from './coordinator/decide.js';
import { evolve, PURGED, type SagaState } from './coordinator/saga-state.js';
import { lockSagas } from './coordinator/store.js';
import {
  inAttention,
  listSagas,
  logOf,
  stateOf,
  viewAfter,
  type SagaLogEntry,
  type SagaPage,
  type SagaSelection,
  type SagaView,
} from './coordinator/view.js';
import {
  eventOf,
  possibleActions,
  refusalOf,
  type SagaAction,
  type SagaActionName,
} from './operator-rules.js';

/** In one answer of the doctor. */
const MOST_FINDINGS = 20;

export interface SagaOperationsOptions {
  readonly service: string;
  readonly coordinator: Coordinator;
  readonly units: UnitsOfWork;
  readonly pool: Pool;
  readonly clock: Clock;
}

/** One saga with all that happened to it. */
export interface SagaDetails {
  readonly saga: SagaView;
  /** What an operator could do now. */
  readonly possible: readonly SagaActionName[];
  /** Its last steps, in order. */
  readonly log: readonly SagaLogEntry[];
}

/** The service has no such saga. */
export class NoSuchSagaError extends TerminalError {}

export class SagaOperations {
  constructor(private readonly options: SagaOperationsOptions) {}

  list(selection: SagaSelection, limit: number, before?: string): Promise<SagaPage> {
    return listSagas(this.options.pool, selection, limit, before);
  }

  /** Undefined: the service has no such saga. `logLimit`: most steps. */
  async show(id: string, logLimit: number): Promise<SagaDetails | undefined> {
    const { pool, clock } = this.options;
    const found = await stateOf(pool, id);
    if (!found) return undefined;
    const possible = possibleActions(found.state, clock.now().getTime());
    return { saga: found.view, possible, log: await logOf(pool, id, logLimit) };
  }

  /**
   * Does `action` and gives the saga as it is then; for a dry run as it would be. Throws `ConflictError`,
   * which offers what is possible, where it would do nothing, and `NoSuchSagaError`.
   */
  async act(id: string, action: SagaAction, change: Change): Promise<SagaView> {
    const { service, coordinator, units, pool, clock } = this.options;
    const { reason, by, dryRun } = change;
    const wants = eventOf(action, reason);
    const planned = await units.run(
      async (work): Promise<SagaState> => {
        const at = work.now.getTime();
        const [saga] = await lockSagas(work, [id]);
        if (!saga) throw new NoSuchSagaError(`there is no saga ${id} in ${service}`);
        const refusal = refusalOf(saga.state, action, at);
        if (refusal) throw new ConflictError(`saga ${id}: no ${action.name}, because ${refusal}`);
        if (dryRun) return evolve(saga.state, decide(saga.state, wants, at), at);
        const event = { type: 'operator', action: action.name, by, reason, wants } as const;
        await coordinator.step([saga], [{ sagaId: id, event }], work);
        await noteOperationIn(work, `sagas ${action.name}`, { saga: id, ...action }, change);
        return saga.state;
      },
      taskCause(clock),
      'an operator of sagas',
    );
    const view = (await stateOf(pool, id))?.view;
    if (!view) throw new NoSuchSagaError(`saga ${id} of ${service} was purged meanwhile`);
    return dryRun ? viewAfter(view, planned) : view;
  }

  /** Sagas in attention, the oldest first. */
  async findings(): Promise<readonly Finding[]> {
    return (await inAttention(this.options.pool, MOST_FINDINGS)).map(findingOf);
  }
}

function findingOf({ id, type, version, phase, attention, startedAt }: SagaView): Finding {
  const { code, text } = attention ?? { code: 'unknown', text: 'it is not said why' };
  return {
    code: code === PURGED ? 'saga-perhaps-purged' : 'saga-attention',
    severity: 'warning',
    subject: `saga ${id}`,
    words: `${type} v${version}, started ${startedAt.toISOString()}, is ${phase}: ${text}`,
    // The silent are told again; everything else is for a person to judge.
    command: code === 'silent' ? `sagas retry ${id} --reason "…"` : `sagas show ${id}`,
  };
}
