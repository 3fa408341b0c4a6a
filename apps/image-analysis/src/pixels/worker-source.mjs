// Starts worker.ts where only sources exist (tests): Node strips the types, and `.js` in an import means
// the `.ts` beside it. The build has worker.js instead and never loads this file.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    const own = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
    return next(own ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});

const { default: answer } = await import('./worker.ts');
export default answer;
