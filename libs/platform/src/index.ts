export { systemClock, type Clock } from './clock.js';
export {
  AuraError,
  codeOf,
  ConflictError,
  InvariantError,
  kindOf,
  TerminalError,
  TransientError,
  asError,
  type ErrorKind,
} from './errors.js';
export { GroupCommit } from './group-commit.js';
export { silentLogger, type Logger } from './logger.js';
export { Loop, type LoopOptions, type Next } from './loop.js';
export { Shutdown, STOP_STAGES, type StopStage } from './shutdown.js';
export { keepPlansFresh } from './plans.js';
export { run, statement, type Queryable, type Statement } from './sql.js';
export { withClient } from './with-client.js';
export { noteInTrace, startUnder, traceContext, traceHeaders, type TraceHeaders } from './trace.js';
