// `npm run eval -- garments DIR [--json]`: scores the built services on labelled sets, see apps/*/README.md.
// Ends 0 with scores (however bad), 2 where it could not score; then one sentence says why.
import { misused, readArguments } from '../start/usage.mjs';
import { EvalError } from './eval-error.mjs';
import { evaluateGarments } from './garments.mjs';

const KINDS = { garments: evaluateGarments };
const USAGE = `usage: npm run eval -- ${Object.keys(KINDS).join('|')} DIR [--json]

  DIR     a labelled set, as apps/image-analysis/README.md describes it
  --json  print one line of JSON

Examples:
  npm run eval -- garments ~/labelled-garments
  npm run -s eval -- garments ~/labelled-garments --json`;

const { values, positionals } = readArguments(USAGE, { json: { type: 'boolean', default: false } });
const [kind, folder, ...more] = positionals;
if (!Object.hasOwn(KINDS, kind ?? '') || folder === undefined || more.length > 0)
  misused(USAGE, `Give what to score (${Object.keys(KINDS).join(', ')}) and one folder.`);
try {
  await KINDS[kind](folder, values.json);
} catch (error) {
  if (!(error instanceof EvalError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
