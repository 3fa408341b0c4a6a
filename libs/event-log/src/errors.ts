import { InvariantError, TerminalError } from '@aura/platform';
import type { Position } from './event-log.js';

/** A topic that the log does not have. */
export class UnknownTopicError extends TerminalError {
  constructor(readonly topic: string) {
    super(
      `topic ${topic} does not exist: its service makes it (\`npm run aura -- topics apply\`), or ` +
        'correct its name',
    );
  }
}

/** A record that the topic will never take: too large, or malformed. */
export class RecordRefusedError extends TerminalError {}

/** A position that the log no longer has, or does not have yet (holes H6, H53). Never answered by a jump. */
export class PositionOutOfRangeError extends InvariantError {
  constructor(
    readonly position: Position,
    readonly bounds: { first: bigint; end: bigint },
  ) {
    super(
      `${position.topic}/${position.partition} has offsets ${bounds.first} to ${bounds.end}, ` +
        `but this reader stands at ${position.offset}: ` +
        (position.offset < bounds.first
          ? 'retention has passed it; replay the range from the publisher’s outbox ' +
            `(\`npm run aura -- replay outbox --topic ${position.topic}\`)`
          : 'the log lost its tail or is another log; ' +
            'compare it with the publisher’s outbox before moving the group'),
    );
  }
}
