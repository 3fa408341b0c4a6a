export { gateway } from './gateway.js';
export { MAX_PHOTO_BYTES, MAX_PHOTO_PIXELS } from './domain/photo-intake.js';
