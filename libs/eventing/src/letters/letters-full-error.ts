import type { TopicPartition } from '@aura/event-log';
import { TransientError } from '@aura/platform';
import type { Lane } from '../consumer/delivery.js';

/** A message names at most this many keys. */
const NAMED = 3;

/** Which bound was met: the letters of one key, or of the whole group. */
export interface LetterCap {
  readonly of: 'key' | 'group';
  readonly letters: number;
}

/**
 * No more letters are taken (H52): the unit that wanted to park is rolled back and nothing of it is lost.
 * `partitions` are where the events lie that found no room: they have to stand still until an operator has
 * made room.
 */
export class LettersFullError extends TransientError {
  constructor(
    readonly partitions: readonly TopicPartition[],
    readonly lanes: readonly Lane[],
    readonly cap: LetterCap,
  ) {
    const whose = cap.of === 'key' ? `${named(lanes)} already has` : 'the group already has';
    super(
      `${whose} ${cap.letters} letters, as many as its ${cap.of} may have: ${placesOf(partitions)} ` +
        'stand still with all keys until there is room. Mend what fails, then ' +
        '`npm run aura -- dead-letters redrive`; or give events up with ' +
        '`npm run aura -- dead-letters discard`',
    );
  }
}

function named(lanes: readonly Lane[]): string {
  const some = lanes.slice(0, NAMED).map(({ topic, key }) => `key ${key} of ${topic}`);
  return some.join(', ') + (lanes.length > NAMED ? ` and ${lanes.length - NAMED} more` : '');
}

function placesOf(partitions: readonly TopicPartition[]): string {
  return partitions.map(({ topic, partition }) => `${topic}/${partition}`).join(', ');
}
