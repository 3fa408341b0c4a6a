// `npm run eval -- garments DIR [--json]`: scores the built services on labelled sets, see apps/*/README.md.
// Ends 0 with scores (however bad), 2 where it could not score; then one sentence says why.
import { parseArgs } from 'node:util';
import { EvalError } from './eval-error.mjs';
import { evaluateGarments } from './garments.mjs';

const KINDS = { garments: evaluateGarments };
const USAGE = `usage: npm run eval -- ${Object.keys(KINDS).join('|')} DIR [--json]`;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean' } },
    });
    const [kind, folder, ...rest] = positionals;
    if (!Object.hasOwn(KINDS, kind ?? '') || folder === undefined || rest.length > 0)
      throw new EvalError(USAGE);
    return { evaluate: KINDS[kind], folder, json: values.json === true };
  } catch (error) {
    throw error instanceof EvalError ? error : new EvalError(`${error.message}\n${USAGE}`);
  }
}

try {
  const { evaluate, folder, json } = readArguments();
  await evaluate(folder, json);
} catch (error) {
  if (!(error instanceof EvalError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
