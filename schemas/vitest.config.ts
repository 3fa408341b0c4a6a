import { defineNodeProject } from '../tools/src/vitest.base.ts';

export default defineNodeProject(import.meta.url);
