import { basename } from 'node:path';
import Table from 'cli-table3';
import { Listr } from 'listr2';
import pc from 'picocolors';
import type { DemoOptions } from './options.js';
import type { ReturnRun } from './giving-back.js';
import type { PhotoRun, Step } from './photo-run.js';
import type { PurchaseRun } from './purchases.js';
import { receiptText } from './receipt.js';
import type { Stack } from './stack.js';
import { milliseconds } from './words.js';

/** What came of everything that the demo did. */
export interface DemoRun {
  readonly photo: PhotoRun;
  readonly purchases: readonly PurchaseRun[];
  /** Of the one that was bought. */
  readonly returned: ReturnRun;
  /** Where the traces of photo, purchases and return are, by name; empty without a Jaeger. */
  readonly traces: Readonly<Record<string, string>>;
}

/** Whether all of it is as it should be. */
export function isOk({ photo, purchases, returned }: DemoRun): boolean {
  return photo.analysis.state === 'done' && [...purchases, returned].every(({ ok }) => ok);
}

/** One part of the demo, with the words that a person sees while it is under way. */
export interface Part {
  readonly title: string;
  /** Does it. `show` adds a line below; the answer is how it went. */
  readonly run: (show: (line: string) => void) => Promise<string>;
}

/**
 * Runs the parts one after the other and shows them: live on a terminal, line by line elsewhere, not at all
 * for scripts.
 */
export async function showParts(parts: readonly Part[], silent: boolean): Promise<void> {
  const list = new Listr(
    parts.map(({ title, run }) => ({
      title,
      rendererOptions: { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true },
      task: async (_, task) => {
        const started = performance.now();
        const words = await run((line) => (task.output = line));
        task.title = `${title}: ${words} ${pc.dim(milliseconds(performance.now() - started))}`;
      },
    })),
    { silentRendererCondition: silent, registerSignalListeners: false },
  );
  await list.run();
}

const STEP_WORDS: Readonly<Record<string, string>> = {
  received: 'took the photo in: row and event in one transaction',
  analysing: 'heard of it from the log, began to look at the pixels',
  done: 'raised what it found; the gateway has heard of it',
  failed: 'could not analyse it',
};

export function stepLine({ name, service, ms }: Step): string {
  return `${pc.bold(service.padEnd(15))} ${STEP_WORDS[name] ?? name} ${pc.dim(milliseconds(ms))}`;
}

/** What a person reads when all parts have run. */
export function closingText(stack: Stack, options: DemoOptions, run: DemoRun, startedMs: number): string {
  const gatewayUrl = stack.urlOf('gateway');
  const bought = run.purchases.find(({ name }) => name === 'bought');
  return [
    '',
    resultText(options, run.photo),
    ...(bought ? ['', receiptText(bought)] : []),
    '',
    `the answer  ${gatewayUrl}/analyses/${run.photo.analysis.id}`,
    ...run.purchases.map(({ name, purchase }) => `${name.padEnd(11)} ${gatewayUrl}/purchases/${purchase.id}`),
    `returned    ${gatewayUrl}/returns/${run.returned.id}`,
    ...Object.entries(run.traces).map(([name, link]) => `trace       ${link}  ${pc.dim(`(${name})`)}`),
    `the API     ${gatewayUrl}/docs  ${pc.dim('(try POST /photos there)')}`,
    `health      ${gatewayUrl}/health/ready`,
    `logs        ${stack.logFolder}`,
    ...(options.once ? [] : [`operators   npm run aura -- doctor`]),
    ...stack.places.map((place) => `data        ${place}`),
    '',
    pc.dim(`${milliseconds(startedMs)} in all. Everything listens on 127.0.0.1 only, without a login.`),
    ...(options.once ? [] : [pc.bold('Ctrl-C stops it; the data stays.')]),
    '',
  ].join('\n');
}

/** The one line for scripts. */
export function summary(stack: Stack, options: DemoOptions, run: DemoRun): object {
  const { analysis, steps, totalMs } = run.photo;
  return {
    ok: isOk(run),
    photo: options.photo,
    log: options.kafka ? 'kafka' : 'postgres',
    processes: options.processes,
    totalMs,
    steps: steps.map(({ name, service, ms }) => ({ name, service, ms })),
    analysis,
    purchases: run.purchases.map(({ purchase, ...how }) => ({
      ...how,
      ...purchase,
      trace: run.traces[how.name],
    })),
    returned: { ...run.returned, trace: run.traces['returned'] },
    trace: run.traces['photo'],
    services: stack.urls(),
  };
}

function resultText({ photo, kafka }: DemoOptions, run: PhotoRun): string {
  const { result, failure } = run.analysis;
  const name = pc.bold(basename(photo));
  if (!result) return pc.red(`${name} could not be analysed: ${failure?.detail ?? 'no reason was given'}`);
  const { garment, palette, pattern, formality } = result;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['garment', garment.present && garment.box ? `yes, at ${boxText(garment.box)}` : 'none seen'],
    ['palette', palette.map(colourText).join('\n') || pc.dim('none')],
    ['pattern', `${pattern.kind} ${pc.dim(`(confidence ${percent(pattern.confidence)})`)}`],
    ['brightness', percent(result.brightness)],
    ['contrast', percent(result.contrast)],
    ['temperature', result.temperature],
    ['formality', [formality.level, ...formality.reasons.map((reason) => pc.dim(`- ${reason}`))].join('\n')],
  );
  const way = kafka ? 'Kafka' : 'the log in Postgres';
  const pixels = pc.dim(`(${milliseconds(result.durationMs)} of it for the pixels)`);
  return `${name}: ${milliseconds(run.totalMs)} over ${way} ${pixels}\n${table.toString()}`;
}

function boxText({
  left,
  top,
  right,
  bottom,
}: {
  left: number;
  top: number;
  right: number;
  bottom: number;
}): string {
  return `${left}, ${top} to ${right}, ${bottom} of the picture`;
}

function colourText({ name, hex, share }: { name: string; hex: string; share: number }): string {
  return `${swatch(hex)}${percent(share).padStart(5)}  ${name} ${pc.dim(hex)}`;
}

function swatch(hex: string): string {
  if (!pc.isColorSupported) return '';
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `\u001B[48;2;${r};${g};${b}m    \u001B[0m `;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
