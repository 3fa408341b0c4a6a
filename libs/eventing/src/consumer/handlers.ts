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

/** A record that can't be handled, as far as it is known. */
export interface RefusedRecord {
  readonly topic: string;
  readonly key: string;
  /** Full name of the event's type, as its header says. */
  readonly type: string;
  /** What the inbox remembers: the event's id, or a stand-in. */
  readonly id: string;
}

interface HandlerBase {
  readonly type: EventType;
  /**
   * More types that it takes: the same event of other publishers (`SharedEvent`), or events that belong in
   * one set. A set handler of several types gets them as one run.
   */
  readonly also?: readonly EventType[];
  /** For people: `<class>.<method>`. Unique in the service. */
  readonly name: string;
  /**
   * False for an event that is nobody's business here, by its payload: where no handler of its type wants it,
   * it is passed as one that nobody takes (M3). Pure, and quick. A handler may still be given one: a letter
   * of before.
   */
  concerns?(event: EventEnvelope): boolean;
  readonly locks?: RowLocks;
  /**
   * Takes the place of a letter, for what nobody may wait behind (H20): a record that can't be read, whose
   * handling threw for good, or ended its process. It is called in the unit that passes the record, when all
   * handlers of its type have it; then nothing is parked. What it does has to lead to what the event said in
   * another way. Where it throws, the record is tried again for ever, and its partition waits.
   */
  refused?(record: RefusedRecord, error: unknown, work: Work): Promise<void>;
  /**
   * As `refused`, for an event that could be read and whose handling threw for good: one about many things,
   * of which most can be handled by themselves. It has to lead to all of them in another way, as tasks. What
   * can't be read, and what ended its process, becomes a letter.
   */
  failed?(event: EventEnvelope, error: unknown, work: Work): Promise<void>;
}

/** Takes one event after the other. */
export interface EachHandler extends HandlerBase {
  readonly mode: 'each';
  handle(event: EventEnvelope, work: Work): Promise<void>;
}

/**
 * Takes many events of its types at once, for set-based SQL: a run keeps each key's order, and no event that
 * others take, of the same key, stands between two of a run. Names the cause of what it raises
 * (`RaiseOptions.cause`).
 */
export interface SetHandler extends HandlerBase {
  readonly mode: 'set';
  handle(events: readonly EventEnvelope[], work: Work): Promise<void>;
}

export type EventHandler = EachHandler | SetHandler;

interface Taken {
  readonly type: EventType;
  readonly handlers: EventHandler[];
}

/**
 * The handlers of one service, by event type and by the topic of its publisher: a record of that type on
 * another topic is nobody's (H28). Several for one type run in the order in which they were given.
 */
export class Handlers {
  /** By topic, then by type: it is asked several times for each event, and a text made for it is hashed. */
  readonly #taken = new Map<string, Map<string, Taken>>();

  constructor(handlers: readonly EventHandler[]) {
    const names = new Set<string>();
    for (const handler of handlers) {
      if (names.has(handler.name))
        throw new InvariantError(`two event handlers are called ${handler.name}: rename one`);
      names.add(handler.name);
      for (const type of [handler.type, ...(handler.also ?? [])]) {
        const ofTopic = this.#taken.get(type.topic) ?? new Map<string, Taken>();
        this.#taken.set(type.topic, ofTopic);
        const known = ofTopic.get(type.name);
        if (known) known.handlers.push(handler);
        else ofTopic.set(type.name, { type, handlers: [handler] });
      }
    }
  }

  /** Empty for a type that this service does not take from this topic. */
  of(typeName: string, topic: string): readonly EventHandler[] {
    return this.#taken.get(topic)?.get(typeName)?.handlers ?? NONE;
  }

  /** Whether one of its handlers wants it. */
  concerns(event: EventEnvelope): boolean {
    return this.of(event.type, event.topic).some((handler) => handler.concerns?.(event) ?? true);
  }

  /** The token of a type that is taken from this topic. */
  typeOf(typeName: string, topic: string): EventType | undefined {
    return this.#taken.get(topic)?.get(typeName)?.type;
  }

  /** Full names of the event types that have a handler, sorted. */
  types(): string[] {
    return [...new Set(this.#all().map(({ type }) => type.name))].toSorted();
  }

  /** The topics to subscribe to, sorted. */
  topics(): string[] {
    return [...this.#taken.keys()].toSorted();
  }

  /** These, and then those of `more`. */
  with(more: readonly EventHandler[]): Handlers {
    const all = new Set(this.#all().flatMap(({ handlers }) => handlers));
    return new Handlers([...all, ...more]);
  }

  #all(): Taken[] {
    return [...this.#taken.values()].flatMap((ofTopic) => [...ofTopic.values()]);
  }
}

const NONE: readonly EventHandler[] = [];
