/**
 * A saga, declared: which branches it has, what each is asked, and in which order. What can't work is an
 * `InvariantError` while it is declared, with the name of the saga and of the branch.
 */
import { BRANCH_KINDS, type BranchType } from '@aura/contracts';
import { InvariantError } from '@aura/platform';
import type { Work } from '@aura/eventing';
import type { WhenBegun } from './coordinator/start-queue.js';

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const MAX_BRANCHES = 32;

/** How long a saga may take, in ms. */
export interface SagaLimits {
  /** From the start until every branch has to be prepared. Default 5,000. */
  readonly prepareMs: number;
  /** How long nothing may change before an operator is told. Default 120,000. */
  readonly attentionMs: number;
}

export interface BranchDeclaration<I extends object = object> {
  readonly name: string;
  readonly type: BranchType;
  /** Names of earlier branches that have to be prepared before this one is asked. */
  readonly after: readonly string[];
  /** What the branch is asked, from the saga's input. Pure. */
  input(from: I): object;
}

/** A saga that was decided, for the service that started it. */
export interface DecidedSaga {
  readonly id: string;
  readonly committed: boolean;
  /** Of an abort: a word for programs, a sentence for people, and the branch that it came from. */
  readonly why: { readonly code: string; readonly text: string; readonly branch?: string } | null;
  /** What the participants replied, by branch. */
  readonly replies: Readonly<Record<string, unknown>>;
}

/**
 * In the transaction of the decision: the service's own rows and events that follow from it. Set-based, one
 * call for all sagas of this type that a unit decided. It must not fail: while it does, nothing is decided.
 */
export type WhenDecided = (sagas: readonly DecidedSaga[], work: Work) => Promise<void>;

/** A declared saga. Immutable: every method gives a new one. */
export class Saga<I extends object> {
  private constructor(
    readonly type: string,
    /** Pinned in every instance: another order of branches, or other branches, is another version. */
    readonly version: number,
    readonly branches: readonly BranchDeclaration<I>[],
    readonly limits: SagaLimits,
    readonly whenDecided: WhenDecided | undefined,
    readonly whenBegun: WhenBegun<I> | undefined,
  ) {}

  static declare<I extends object>(type: string, version: number): Saga<I> {
    if (!NAME.test(type)) throw new InvariantError(`a saga is called like this: buy-outfit, not "${type}"`);
    if (!Number.isInteger(version) || version < 1)
      throw new InvariantError(`saga ${type}: a version is 1, 2, 3 and so on, not ${version}`);
    return new Saga<I>(type, version, [], { prepareMs: 5_000, attentionMs: 120_000 }, undefined, undefined);
  }

  /** For people: `buy-outfit v1`. */
  get label(): string {
    return `${this.type} v${this.version}`;
  }

  /**
   * Adds a branch. It is asked at once, or when the branches named in `after` are prepared; a pivot when all
   * others are; a retriable after the commit.
   */
  branch<Out extends object, In extends object>(
    name: string,
    type: BranchType<Out, In>,
    input: (from: I) => In,
    { after = [] }: { readonly after?: readonly string[] } = {},
  ): Saga<I> {
    const branch = { name, type: type as unknown as BranchType, after, input };
    this.#check(branch);
    return this.#with({ branches: [...this.branches, branch] });
  }

  within(limits: Partial<SagaLimits>): Saga<I> {
    const all = { ...this.limits, ...limits };
    for (const [name, ms] of Object.entries(all))
      if (!(ms > 0)) throw new InvariantError(`saga ${this.label}: ${name} is more than 0 ms, not ${ms}`);
    return this.#with({ limits: all });
  }

  /** See `WhenDecided`. */
  decided(whenDecided: WhenDecided): Saga<I> {
    return this.#with({ whenDecided });
  }

  /** See `WhenBegun`: called for what `Sagas.submit` started. */
  begun(whenBegun: WhenBegun<I>): Saga<I> {
    return this.#with({ whenBegun });
  }

  #with(change: Partial<Pick<Saga<I>, 'branches' | 'limits' | 'whenDecided' | 'whenBegun'>>): Saga<I> {
    const { branches, limits, whenDecided, whenBegun } = this;
    const all = { branches, limits, whenDecided, whenBegun, ...change };
    return new Saga(this.type, this.version, all.branches, all.limits, all.whenDecided, all.whenBegun);
  }

  /** What only a whole saga can say, and the service that starts it. Throws `InvariantError`. */
  checkFor(service: string): void {
    if (!this.branches.some(({ type }) => type.kind !== 'retriable'))
      throw new InvariantError(`saga ${this.label} has no branch that votes: nothing of it could be refused`);
    for (const { name, type } of this.branches)
      if (!type.coordinators.includes(service))
        this.#refuse(name, `${service} is not among those who may ask for ${type.name} (aura.coordinators)`);
  }

  #check({ name, type, after }: BranchDeclaration<I>): void {
    const earlier = (wanted: string): BranchDeclaration<I> | undefined =>
      this.branches.find((each) => each.name === wanted);
    const pivot = this.branches.find((each) => each.type.kind === 'pivot');
    if (!NAME.test(name)) this.#refuse(name, 'is called like this: stock, left-shoe');
    if (earlier(name)) this.#refuse(name, 'is declared twice');
    if (this.branches.length >= MAX_BRANCHES) this.#refuse(name, `is one too many: at most ${MAX_BRANCHES}`);
    if (!BRANCH_KINDS.includes(type?.kind))
      this.#refuse(name, 'has no contract: no service takes part in it');
    if (pivot && type.kind === 'pivot') this.#refuse(name, `is a second pivot, beside "${pivot.name}"`);
    if (pivot && type.kind !== 'retriable')
      this.#refuse(name, `is ${type.kind} and comes after the pivot "${pivot.name}": declare it before`);
    if (after.length > 0 && type.kind === 'retriable')
      this.#refuse(name, 'is retriable: it follows the commit');
    if (after.length > 0 && type.kind === 'pivot') this.#refuse(name, 'is the pivot: it follows all others');
    for (const wanted of after) {
      const before = earlier(wanted);
      // So there is no cycle, either.
      if (!before) this.#refuse(name, `comes after "${wanted}", which is not declared before it`);
      else if (before.type.kind === 'retriable')
        this.#refuse(name, `comes after "${wanted}", which is retriable: it runs after the commit only`);
    }
  }

  #refuse(branch: string, why: string): never {
    throw new InvariantError(`saga ${this.label}: branch "${branch}" ${why}`);
  }
}

/** A saga of whatever input. */
export type AnySaga = Pick<
  Saga<never>,
  'type' | 'version' | 'label' | 'branches' | 'limits' | 'whenDecided' | 'whenBegun' | 'checkFor'
>;

/** Begins the declaration of a saga: `saga<Order>('buy-outfit', 1).branch(...).within(...)`. */
export function saga<I extends object>(type: string, version: number): Saga<I> {
  return Saga.declare<I>(type, version);
}
