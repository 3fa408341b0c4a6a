/** What keeps an evaluation from starting, in a sentence for the person who asked for it. */
export class EvalError extends Error {}
