// Generated from schemas/ by tools/codegen. Do not edit: change the schema and run `npx nx run @aura/schemas:codegen`.
export * from './generated/gateway.js';
export * from './generated/image-analysis.js';
