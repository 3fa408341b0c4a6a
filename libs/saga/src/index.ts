export {
  saga,
  Saga,
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
export type { StartedSaga, StartOptions } from './coordinator/starting.js';
export type { SagaView } from './coordinator/view.js';
export { Sagas, type SagaPlace, type SagasOptions } from './sagas.js';
export { ParticipantOf } from './nest/participant-of.js';
export {
  prepared,
  refused,
  type Answer,
  type Ask,
  type ExternalParticipant,
  type OutsideCall,
  type Participant,
  type Vote,
} from './participant/participant.js';
