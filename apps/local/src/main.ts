import 'reflect-metadata';
import { basename } from 'node:path';
import { AuraError } from '@aura/platform';
import { Problem } from '@aura/tools/postgres';
import pc from 'picocolors';
import { readOptions, type DemoOptions } from './options.js';
import { sendPhoto, type PhotoRun } from './photo-run.js';
import { Purchases, type PurchaseRun } from './purchases.js';
import type { ReturnRun } from './giving-back.js';
import { purchaseLine, purchaseWords, returnWords, traceLink } from './receipt.js';
import { closingText, isOk, showParts, stepLine, summary, type DemoRun, type Part } from './screen.js';
import { Stack } from './stack.js';

/** How long after a clean stop the process may linger (ms). */
const LINGER_MS = 1_000;
/** Two signals closer than this are one (ms). */
const REPEAT_MS = 500;

const asked = firstSignal();
process.exitCode = await demo(readOptions(process.argv.slice(2)), asked);
// Whatever still keeps the process alive has had its time to stop.
setTimeout(() => process.exit(), LINGER_MS).unref();

/** The whole demo; gives the exit code. */
async function demo(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const started = performance.now();
  const stack = new Stack(options, signal);
  try {
    const run = await everything(stack, options, signal);
    process.stdout.write(
      options.json
        ? `${JSON.stringify(summary(stack, options, run))}\n`
        : closingText(stack, options, run, performance.now() - started),
    );
    if (!options.once) await aborted(signal);
    return isOk(run) ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return 0;
    const sentence = sentenceOf(error, stack);
    if (options.json) process.stdout.write(`${JSON.stringify({ ok: false, error: sentence })}\n`);
    process.stderr.write(`${pc.red(sentence)}\n`);
    return 1;
  } finally {
    if (signal.aborted) process.stderr.write('\nstopping …\n');
    await stack.stop();
  }
}

/** Starts all services, sends the photo and buys the outfits, showing each part. */
async function everything(stack: Stack, options: DemoOptions, signal: AbortSignal): Promise<DemoRun> {
  const photo = await photoThrough(stack, options, signal);
  const { purchases, returned } = await outfitsBought(stack, options, photo, signal);
  const runs = [{ name: 'photo', ...photo }, ...purchases, { name: 'returned', ...returned }];
  const links = runs.map(async ({ name, traceId }) => [name, await traceLink(traceId)] as const);
  const known = (await Promise.all(links)).flatMap(([name, link]) => (link ? [[name, link] as const] : []));
  return { photo, purchases, returned, traces: Object.fromEntries(known) };
}

async function photoThrough(stack: Stack, options: DemoOptions, signal: AbortSignal): Promise<PhotoRun> {
  let run: PhotoRun | undefined;
  const photo: Part = {
    title: `photo ${basename(options.photo)}`,
    run: async (show) => {
      run = await sendPhoto(stack.urlOf('gateway'), options.photo, signal, (step) => show(stepLine(step)));
      return 'through both services and back';
    },
  };
  const kafka: Part = {
    title: 'Kafka and its schema registry (from Maven the first time)',
    run: () => stack.startKafka(),
  };
  await showParts(
    [
      { title: 'Postgres 18', run: () => stack.startPostgres() },
      ...(options.kafka ? [kafka] : []),
      { title: 'gateway', run: () => stack.startService('gateway') },
      { title: 'image-analysis', run: () => stack.startService('image-analysis') },
      photo,
    ],
    options.json,
  );
  if (!run) throw new Error('the photo was not sent');
  return run;
}

/**
 * One that is bought, and goes back; one whose card is declined and, unless left out, one in which payments
 * is killed.
 */
async function outfitsBought(
  stack: Stack,
  { json, kill }: DemoOptions,
  { analysis }: PhotoRun,
  signal: AbortSignal,
): Promise<Pick<DemoRun, 'purchases' | 'returned'>> {
  const runs: PurchaseRun[] = [];
  let returned: ReturnRun | undefined;
  const shopping = new Purchases(stack, analysis.result, signal);
  const shop: Part = {
    title: 'inventory, payments, delivery, checkout',
    run: (show) => stack.startShop((name, words) => show(`${pc.bold(name.padEnd(15))} ${words}`)),
  };
  const part = (title: string, name: PurchaseRun['name']): Part => ({
    title,
    run: async (show) => {
      const run = await shopping[name]((step) => show(purchaseLine(step)));
      runs.push(run);
      return purchaseWords(run);
    },
  });
  const back: Part = {
    title: 'the same outfit, sent back',
    run: async (show) => {
      const [bought] = runs;
      if (!bought) throw new Error('nothing was bought');
      returned = await shopping.returned(bought, (step) => show(purchaseLine(step)));
      return returnWords(returned);
    },
  };
  await showParts(
    [
      shop,
      part('an outfit that goes with it', 'bought'),
      back,
      part('an outfit whose card is declined', 'declined'),
      ...(kill ? [part('an outfit while payments is killed', 'killed')] : []),
    ],
    json,
  );
  if (!returned) throw new Error('nothing was sent back');
  return { purchases: runs, returned };
}

/**
 * Aborted by the first Ctrl-C or SIGTERM; a second one ends the process at once. Where the signal went to
 * the whole group, the program that started us passes it on as well: that repeat is not impatience.
 */
function firstSignal(): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (controller.signal.aborted && performance.now() - first > REPEAT_MS) process.exit(130);
      first ||= performance.now();
      controller.abort(new Error('asked to stop'));
    });
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** Known faults are sentences with a cure; of an unknown one the stack is worth more. */
function sentenceOf(error: unknown, stack: Stack): string {
  if (error instanceof AuraError || error instanceof Problem)
    return `${error.message}\n(logs: ${stack.logFolder})`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
