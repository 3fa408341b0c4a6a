import { TerminalError } from '@aura/platform';

/**
 * One value that its schema does not allow, and where: `palette[2].share`. Empty path: the payload itself.
 */
export interface PayloadProblem {
  readonly path: string;
  readonly reason: string;
}

/**
 * A payload that its event's schema refuses; nothing has been written. Lists every bad path, up to a bound.
 */
export class InvalidPayloadError extends TerminalError {
  constructor(
    /** Full name of the event type. */
    readonly eventType: string,
    readonly problems: readonly PayloadProblem[],
    more = false,
  ) {
    const event = eventType.slice(eventType.lastIndexOf('.') + 1);
    const lines = problems.map(({ path, reason }) => {
      const dot = path === '' || path.startsWith('[') ? '' : '.';
      return `${event}${dot}${path}: ${reason}`;
    });
    super([...lines, ...(more ? ['and more'] : [])].join('; '));
  }
}

/** An event whose encoded body is over the limit; nothing has been written. */
export class EventTooLargeError extends TerminalError {
  constructor(
    readonly eventType: string,
    readonly key: string,
    readonly bytes: number,
    readonly maxBytes: number,
  ) {
    super(
      `${eventType} of key ${key} has ${bytes} bytes, ${maxBytes} are allowed: ` +
        'keep what is large in a table of its service and send a reference',
    );
  }
}

/**
 * Bytes that can't be read: a malformed frame or body, or a writer schema that the reader's can't resolve.
 */
export class UnreadableEventError extends TerminalError {}

/** A registry's answer to an id that it never gave. */
export class UnknownSchemaIdError extends TerminalError {
  constructor(
    readonly id: number,
    options?: ErrorOptions,
  ) {
    super(
      `schema id ${id} is unknown to the registry: it was rebuilt, or the record comes from another one; ` +
        'events of ours can be replayed from their outbox',
      options,
    );
  }
}

/** A registry's refusal of a schema: not FULL_TRANSITIVE with what its subject holds, or no valid schema. */
export class SchemaRefusedError extends TerminalError {
  constructor(
    readonly subject: string,
    /** Path and reason of each problem: `palette[].share: string can't be read as double`. */
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      `${subject} refuses the schema: ${problems.join('; ')}. A breaking change is a new event name`,
      options,
    );
  }
}
