// Scores a folder of garment pictures against its truth.json.
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, normalize, resolve } from 'node:path';
import { EvalError } from './eval-error.mjs';
import { scorePicture, summarise } from './garment-scores.mjs';
import { progressBar, table } from './print.mjs';

const DIST = new URL('../../apps/image-analysis/dist/pixels/index.js', import.meta.url);
/** Analyses under way at once: as many as the analyser has threads. */
const TOGETHER = 2;

/** Prints a table for people, or with `json` one object on one line. Throws `EvalError`. */
export async function evaluateGarments(dir, json) {
  // npm runs scripts in the workspace's root and says where the person was.
  const folder = resolve(process.env.INIT_CWD ?? '.', dir);
  const truths = await readTruth(folder);
  const { Analyser, AnalysisTimeoutError, UnreadablePictureError } = await load();
  const expected = [EvalError, AnalysisTimeoutError, UnreadablePictureError];
  const analyser = new Analyser({ threads: TOGETHER, timeLimitMs: 120_000 });
  const bar = progressBar(truths.length, !json && process.stderr.isTTY);
  const results = [];
  const broken = [];
  const queue = truths.entries();
  const work = async () => {
    for (const [n, truth] of queue) {
      try {
        const bytes = await readPicture(folder, truth.file);
        const started = performance.now();
        const answer = await analyser.analyse(bytes);
        results[n] = { ...scorePicture(truth, answer), ms: performance.now() - started };
      } catch (error) {
        if (!expected.some((type) => error instanceof type)) throw error;
        broken.push({ file: truth.file, reason: error.message });
      }
      bar.step(truth.file);
    }
  };
  try {
    await Promise.all(Array.from({ length: TOGETHER }, work));
  } finally {
    bar.end();
    await analyser.close();
  }
  report(
    folder,
    results.filter((result) => result !== undefined),
    broken,
    json,
  );
}

async function load() {
  try {
    return await import(DIST.href);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new EvalError('The analyser is not built yet: run `npm run build` first.', { cause: error });
  }
}

async function readPicture(folder, file) {
  if (isAbsolute(file) || normalize(file).startsWith('..'))
    throw new EvalError(`${file} lies outside the folder and is not read`);
  try {
    return await readFile(join(folder, file));
  } catch (error) {
    throw new EvalError(`${file} is named in truth.json but cannot be read (${error.code})`, {
      cause: error,
    });
  }
}

async function readTruth(folder) {
  const path = join(folder, 'truth.json');
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new EvalError(`${path} cannot be read (${error.code}): DIR must be a folder with a truth.json.`, {
      cause: error,
    });
  }
  let truth;
  try {
    truth = JSON.parse(text);
  } catch (error) {
    throw new EvalError(`${path} is no JSON: ${error.message}`, { cause: error });
  }
  const entries = truth?.garments;
  if (!Array.isArray(entries) || entries.length === 0)
    throw new EvalError(`${path} has no list "garments" with at least one picture.`);
  for (const [n, entry] of entries.entries()) checkEntry(path, n, entry);
  return entries;
}

function checkEntry(path, n, entry) {
  const wrong = (what) => new EvalError(`${path}: garments[${n}]${what}`);
  if (typeof entry !== 'object' || entry === null) throw wrong(' is no object.');
  if (typeof entry.file !== 'string') throw wrong('.file is no string.');
  if (!('garment' in entry)) throw wrong('.garment is missing (null where the picture has none).');
  if (entry.garment === null) return;
  if (!Array.isArray(entry.colours) || !entry.colours.every((c) => typeof c?.name === 'string'))
    throw wrong('.colours is no list of {name, share, srgb_cloth, srgb_in_picture}.');
  if (typeof entry.pattern !== 'string') throw wrong('.pattern is no string.');
}

function report(folder, results, broken, json) {
  const summary = { set: folder, ...summarise(results), unread: broken };
  if (json) {
    console.log(JSON.stringify(summary));
    return;
  }
  console.log(`\n${folder}: ${results.length} pictures\n`);
  console.log(table(['', 'all', 'easy', 'hard'], rowsOf(summary)));
  const wrong = results.filter((r) => r.notes.length > 0);
  if (wrong.length > 0)
    console.log(`\nNot right:\n${wrong.map((r) => `  ${r.file}: ${r.notes.join('; ')}`).join('\n')}`);
  if (broken.length > 0)
    console.log(`\nNot scored:\n${broken.map((b) => `  ${b.file}: ${b.reason}`).join('\n')}`);
}

const percent = (value) => (value === null ? '-' : `${(100 * value).toFixed(1)} %`);

function rowsOf({ all, easy, hard }) {
  const row = (label, key, format = percent) => [
    label,
    ...[all, easy, hard].map((part) => format(part[key])),
  ];
  return [
    row('pictures', 'pictures', String),
    row('presence right', 'presence'),
    row('first colour (name or < 15)', 'firstColour'),
    row('  its name', 'firstColourName'),
    row('  CIEDE2000 < 15', 'firstColourUnder15'),
    row('  CIEDE2000 < 10', 'firstColourUnder10'),
    row('palette F1', 'paletteF1'),
    row('pattern right', 'pattern'),
    row('box IoU', 'boxIou'),
    row('ms, median', 'medianMs', (ms) => (ms === null ? '-' : ms.toFixed(0))),
  ];
}
