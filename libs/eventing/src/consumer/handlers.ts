import type { EventEnvelope, EventType } from '@aura/contracts';
import { InvariantError, type Statement } from '@aura/platform';
import type { Work } from '../unit-of-work/work.js';

/**
 * Rows that a handler is going to lock, taken for the whole unit in one sorted statement before any handler
 * runs (H18).
 */
export interface RowLocks {
  /** `select .. from t where k = any($1) order by k for update`: one text[] parameter. */
  readonly statement: Statement;
  keysOf(event: EventEnvelope): readonly string[];
}

interface HandlerBase {
  readonly type: EventType;
  /** For people: `<class>.<method>`. Unique in the service. */
  readonly name: string;
  readonly locks?: RowLocks;
}

/** Takes one event after the other. */
export interface EachHandler extends HandlerBase {
  readonly mode: 'each';
  handle(event: EventEnvelope, work: Work): Promise<void>;
}

/**
 * Takes many events of its type at once, for set-based SQL: a run keeps each key's order, and no event of
 * another type of the same key stands between two of a run. Names the cause of what it raises
 * (`RaiseOptions.cause`).
 */
export interface SetHandler extends HandlerBase {
  readonly mode: 'set';
  handle(events: readonly EventEnvelope[], work: Work): Promise<void>;
}

export type EventHandler = EachHandler | SetHandler;

/**
 * The handlers of one service, by event type. Several for one type run in the order in which they were given.
 */
export class Handlers {
  readonly #byType = new Map<string, EventHandler[]>();

  constructor(handlers: readonly EventHandler[]) {
    const names = new Set<string>();
    for (const handler of handlers) {
      if (names.has(handler.name))
        throw new InvariantError(`two event handlers are called ${handler.name}: rename one`);
      names.add(handler.name);
      const known = this.#byType.get(handler.type.name);
      if (known) known.push(handler);
      else this.#byType.set(handler.type.name, [handler]);
    }
  }

  /** Empty for a type that this service does not subscribe to. */
  of(typeName: string): readonly EventHandler[] {
    return this.#byType.get(typeName) ?? [];
  }

  /** Full names of the event types that have a handler, sorted. */
  types(): string[] {
    return [...this.#byType.keys()].toSorted();
  }

  /** The topics to subscribe to, sorted. */
  topics(): string[] {
    const topics = [...this.#byType.values()].map(([first]) => (first as EventHandler).type.topic);
    return [...new Set(topics)].toSorted();
  }
}
