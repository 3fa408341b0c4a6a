export {
  saga,
  Saga,
  type AnySaga,
  type BranchDeclaration,
  type DecidedSaga,
  type SagaLimits,
  type WhenDecided,
} from './definition.js';
export { sagaDecider, type SagaDecider } from './coordinator/decider.js';
export type { SagaEvent } from './coordinator/decide.js';
export type {
  BranchState,
  Fact,
  Reason,
  SagaBranch,
  SagaPhase,
  SagaState,
} from './coordinator/saga-state.js';
export type { BegunSaga, WhenBegun } from './coordinator/start-queue.js';
export type { StartedSaga, StartOptions } from './coordinator/starting.js';
export type { SagaLogEntry, SagaPage, SagaSelection, SagaView } from './coordinator/view.js';
export { NoSuchSagaError, type SagaDetails, type SagaOperations } from './operator.js';
export type { SagaAction, SagaActionName } from './operator-rules.js';
export { Sagas, type ParticipantSource, type SagaPlace, type SagasOptions } from './sagas.js';
export { ParticipantOf } from './nest/participant-of.js';
export { SagaHost, SagaModule, type SagaModuleOptions } from './nest/saga.module.js';
export {
  prepared,
  refused,
  type Answer,
  type Ask,
  type ExternalParticipant,
  type OutsideCall,
  type OutsideLimits,
  type Participant,
  type SetWork,
  type Vote,
} from './participant/participant.js';
