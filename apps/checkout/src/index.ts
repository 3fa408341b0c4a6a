export { checkout } from './checkout.js';
export { buyOutfit } from './buy-outfit.saga.js';
