import { defineNodeProject } from './src/vitest.base.ts';

export default defineNodeProject(import.meta.url, { include: ['**/*.spec.{ts,mjs}'] });
