import { TerminalError, TransientError } from '@aura/platform';

/** The bytes are no JPEG, PNG or WebP that can be read whole, or have too many pixels: no retry will help. */
export class UnreadablePictureError extends TerminalError {}

/** The analysis was ended at its time limit. It may have been the machine's load, so one more try is fair. */
export class AnalysisTimeoutError extends TransientError {}

/** Every thread is busy and the queue is full, or the analyser is closing: nothing was begun. */
export class AnalyserBusyError extends TransientError {}
