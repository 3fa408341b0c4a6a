export { payments } from './payments.js';
