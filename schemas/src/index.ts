// Generated from schemas/ by tools/codegen. Change the schema instead, then: npx nx run @aura/schemas:codegen
export * from './generated/checkout.js';
export * from './generated/delivery.js';
export * from './generated/gateway.js';
export * from './generated/image-analysis.js';
export * from './generated/inventory.js';
export * from './generated/payments.js';
