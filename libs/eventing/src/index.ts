export { SwallowedSqlError, UnknownOutcomeError } from './unit-of-work/commit.js';
export { UnitsOfWork } from './unit-of-work/units-of-work.js';
export type { UnitOfWorkContext, Written } from './unit-of-work/unit-of-work.js';
export {
  REQUEST,
  type Cause,
  type NewTask,
  type RaisedEvent,
  type RaiseOptions,
  type ScheduledTask,
  type Work,
  workWith,
} from './unit-of-work/work.js';
export { migrate, type MigrationSet } from './migrations/migrate.js';
export type { Migration } from './migrations/migration.js';
export { errorRecord, type ErrorRecord } from './letters/error-record.js';
export type {
  AnyTaskHandler,
  EndedTask,
  SetTaskHandler,
  Task,
  TaskEnding,
  TaskHandler,
} from './tasks/task.js';
export { taskErrors } from './tasks/task-store.js';
export { TaskRunner, type TaskRunnerOptions } from './tasks/task-runner.js';
export { Relay, type RelayOptions, type RelayStatus } from './outbox/relay.js';
export type { RelayLimits } from './outbox/leader.js';
export { OutboxDays, type OutboxDaysOptions } from './outbox/days.js';
export { OutboxFullError, type BudgetStatus } from './outbox/budget.js';
export type { BudgetLimits } from './outbox/budget-rules.js';
export { TooOldToJudgeError } from './consumer/low-water-rules.js';
export { WakeUp, type WakeUpOptions } from './outbox/wake-up.js';
export { keepSchemas } from './outbox/relay-store.js';
export { Eventing, type EventingOptions, type EventingStatus } from './eventing.js';
export { connectEventing, EventingHost, EventingModule, Tasks } from './nest/eventing.module.js';
export { On, OnSet, type OnMethod, type OnSetMethod } from './nest/on.decorator.js';
export { AuraTransport, WholeErrorFilter } from './nest/transport-strategy.js';
export {
  Consumer,
  type ConsumerLimits,
  type ConsumerOptions,
  type ConsumerStatus,
} from './consumer/consumer.js';
export { setSpan } from './consumer/handling.js';
export {
  Handlers,
  type EachHandler,
  type EventHandler,
  type RefusedRecord,
  type RowLocks,
  type SetHandler,
} from './consumer/handlers.js';
export { HoldError } from './consumer/hold-error.js';
export type { StalledPartition } from './consumer/ownership.js';
export { listParked, type ParkedKey } from './letters/letter-list.js';
export type { LetterLimits } from './letters/letter-limits.js';
export { DeadLetters, NoSuchLetterError, type DeadLettersOptions } from './letters/letter-operations.js';
export { LettersFullError, type LetterCap } from './letters/letters-full-error.js';
export { noteOperationIn } from './operations/audit.js';
export type { FindingSource } from './operations/doctor.js';
export type {
  Change,
  Finding,
  GroupMove,
  GroupOperations,
  GroupPartition,
  GroupState,
  Letter,
  LetterCount,
  LetterOperations,
  LetterSelection,
  MoveTarget,
  Operations,
  Overdue,
  PausedGroup,
  RelayOperations,
  RelayParkedKey,
  ReplayCount,
  ReplayJob,
  ReplayOperations,
  ReplaySelection,
  ReplayState,
  Standstill,
  TopicOperations,
  TopicPlan,
} from './operations/operations.js';
