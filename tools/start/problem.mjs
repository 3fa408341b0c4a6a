/**
 * Something a person has to put right: what happened and what to do, in words. The commands print it without
 * a stack; every other error is a defect of ours and keeps its stack.
 */
export class Problem extends Error {
  /**
   * @param {string} what what happened, to which file, port or program
   * @param {string} [cure] what to do about it
   * @param {{ cause?: unknown }} [options]
   */
  constructor(what, cure, options) {
    super(cure ? `${what}\n  ${cure.replaceAll('\n', '\n  ')}` : what, options);
    this.name = 'Problem';
  }
}

/** Prints an error as its kind asks (see `Problem`) and ends the process with 1. */
export function fail(error) {
  console.error(error instanceof Problem ? `\n✖ ${error.message}\n` : error);
  process.exit(1);
}

const FILE_PROBLEMS = {
  ENOSPC: (path) =>
    new Problem(`The disk that holds ${path} is full.`, 'Free some space there, then start again.'),
  EDQUOT: (path) =>
    new Problem(
      `Your quota on the disk that holds ${path} is used up.`,
      'Free some space, then start again.',
    ),
  EROFS: (path) =>
    new Problem(
      `${path} lies on a read-only file system.`,
      'Clone the project into a folder that you may write to.',
    ),
  EACCES: (path) =>
    new Problem(
      `You may not write to ${path}.`,
      'Its owner must start this, or clone the project into a folder of your own.',
    ),
};
FILE_PROBLEMS.EPERM = FILE_PROBLEMS.EACCES;
FILE_PROBLEMS.ENOTDIR = (path) =>
  new Problem(
    `${path} can't be there: a part of that path is a file, not a folder.`,
    'Give another folder, or move that file away.',
  );

/** Elsewhere these two are defects of ours: a file that is missing or was not expected. */
const MKDIR_PROBLEMS = {
  EEXIST: (path) =>
    new Problem(
      `${path} can't be made: something that is no folder has that name, or that of a folder above it.`,
      'Give another folder, or move that file or link away.',
    ),
  ENOENT: (path) =>
    new Problem(
      `${path} can't be made: a folder above it takes no new ones, or is gone.`,
      'Give a folder on an ordinary disk that you may write to.',
    ),
};

/** Turns the file errors that a person can cure into a `Problem`; gives every other error back as it is. */
export function fileProblem(error, path) {
  const say = FILE_PROBLEMS[error?.code] ?? (error?.syscall === 'mkdir' && MKDIR_PROBLEMS[error.code]);
  return say ? Object.assign(say(path), { cause: error }) : error;
}
