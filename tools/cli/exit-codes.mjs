/** What a script may rely on. */
export const EXIT = Object.freeze({ fine: 0, failed: 1, usage: 2, alarm: 3 });

/** Something that the person who typed the command can put right; printed as one sentence. */
export class CliError extends Error {
  /**
   * @param {string} sentence what happened, to what, and what to do
   * @param {number} [exitCode]
   */
  constructor(sentence, exitCode = EXIT.failed) {
    super(sentence);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** The command was wrong, not the world. */
export const misuse = (sentence) => new CliError(sentence, EXIT.usage);
