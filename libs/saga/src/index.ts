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
