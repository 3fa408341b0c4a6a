export { payments } from './payments.js';

// What it is made of, for a service that gives it other limits: the campaign of sagas.
export { CapturePaymentsTask } from './capture-payments.task.js';
export { PaymentMethods } from './payment-methods.js';
export { PaymentParticipant } from './payment.participant.js';
export { GuardedProvider } from './provider/guarded-provider.js';
export { SimulatedProvider } from './simulator/simulated-provider.js';
