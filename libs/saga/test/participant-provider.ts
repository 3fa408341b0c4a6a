import {
  prepared,
  type Answer,
  type Ask,
  type ExternalParticipant,
  type OutsideCall,
  type Vote,
} from '../src/participant/participant.js';
import type { Wanted } from './participant-fixture.js';

export const ARRIVES_WITHIN_MS = 300_000;
export const REMEMBERS_MS = 3_600_000;

/**
 * Somebody outside: holds money by key, whoever asks how often. What is asked may arrive later than the one
 * who asked waits; what is voided before it was ever authorised stays held for ever when it arrives (H16).
 */
export class Provider {
  readonly #authorised = new Map<string, 'held' | 'voided' | 'declined'>();
  readonly #onTheWay: { key: string; pieces: number; at: number }[] = [];
  readonly broken: string[] = [];
  requests = 0;
  now = 0;

  authorise(key: string, pieces: number): 'held' | 'declined' {
    this.requests++;
    const known = this.#authorised.get(key);
    if (known) return known === 'declined' ? 'declined' : 'held';
    const state = pieces > 10 ? 'declined' : 'held';
    this.#authorised.set(key, state);
    return state;
  }

  /** Arrives by itself, within the time that they promise. */
  authoriseLater(key: string, pieces: number, inMs: number): void {
    this.#onTheWay.push({ key, pieces, at: this.now + inMs });
  }

  void(key: string): void {
    const known = this.#authorised.get(key);
    if (known === undefined) this.broken.push(`${key} was voided before it was authorised`);
    else if (known === 'declined') this.broken.push(`${key} was voided, and was declined`);
    else this.#authorised.set(key, 'voided');
  }

  stateOf(key: string): string | undefined {
    return this.#authorised.get(key);
  }

  pass(ms: number): void {
    this.now += ms;
    for (const late of this.#onTheWay.splice(0)) {
      if (late.at > this.now) this.#onTheWay.push(late);
      else this.authorise(late.key, late.pieces);
    }
  }
}

export type Fault = 'lost-call' | 'late-call' | 'lost-answer' | 'no-look-up' | 'no-release' | 'lost-release';

export class Till implements ExternalParticipant<Wanted> {
  readonly calls: string[] = [];
  /** Of the next step; undefined: all goes well. */
  fault: Fault | undefined;
  vote: Vote = prepared();

  constructor(readonly provider: Provider) {}

  call({ input }: Ask<Wanted>, { idempotencyKey: key }: OutsideCall): Promise<Answer> {
    this.calls.push('call');
    const { provider, fault } = this;
    if (fault === 'lost-call') return Promise.reject(new Error('no route'));
    if (fault === 'late-call') {
      provider.authoriseLater(key, input.pieces, ARRIVES_WITHIN_MS);
      return Promise.reject(new Error('no answer'));
    }
    const state = provider.authorise(key, input.pieces);
    if (fault === 'lost-answer') return Promise.reject(new Error('connection reset'));
    return Promise.resolve(answerOf(state));
  }

  lookUp(_ask: Ask<Wanted>, { idempotencyKey }: OutsideCall): Promise<Answer | undefined> {
    this.calls.push('look-up');
    if (this.fault === 'no-look-up') return Promise.reject(new Error('busy'));
    const state = this.provider.stateOf(idempotencyKey);
    return Promise.resolve(state === undefined ? undefined : answerOf(state));
  }

  release(_ask: Ask<Wanted>, { idempotencyKey }: OutsideCall): Promise<void> {
    this.calls.push('release');
    if (this.fault === 'no-release') return Promise.reject(new Error('busy'));
    this.provider.void(idempotencyKey);
    return this.fault === 'lost-release' ? Promise.reject(new Error('reset')) : Promise.resolve();
  }

  prepare(): Promise<Vote> {
    this.calls.push('prepare');
    return Promise.resolve(this.vote);
  }
  commit(): Promise<void> {
    this.calls.push('commit');
    return Promise.resolve();
  }
  cancel(): Promise<void> {
    this.calls.push('cancel');
    return Promise.resolve();
  }
}

function answerOf(state: string): Answer {
  return state === 'declined'
    ? { accepted: false, code: 'declined', reason: 'the card was declined' }
    : { accepted: true, data: { authorisation: 'a-1' } };
}
