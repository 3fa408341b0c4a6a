import { basename } from 'node:path';
import Table from 'cli-table3';
import pc from 'picocolors';
import type { DemoOptions } from './options.js';
import type { PhotoRun, Step } from './photo-run.js';

const STEP_WORDS: Readonly<Record<string, string>> = {
  received: 'took the photo in: row and event in one transaction',
  analysing: 'heard of it from the log, started to look at the pixels',
  done: 'published what it found; the gateway has applied it',
  failed: 'could not analyse it',
};

export function stepLine({ name, service, ms }: Step): string {
  return `${pc.bold(service.padEnd(15))} ${STEP_WORDS[name] ?? name} ${pc.dim(milliseconds(ms))}`;
}

export function milliseconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** What a person reads at the end. */
export function resultText({ photo, kafka }: DemoOptions, run: PhotoRun): string {
  const { result, failure } = run.analysis;
  if (!result)
    return pc.red(`${basename(photo)} could not be analysed: ${failure?.detail ?? 'no reason was given'}`);
  const table = new Table({ style: { head: [], border: [] } });
  const { garment, palette, pattern, formality } = result;
  const box =
    garment.box &&
    `${garment.box['left']}, ${garment.box['top']} to ${garment.box['right']}, ${garment.box['bottom']}`;
  table.push(
    ['garment', garment.present ? `yes, at ${box}` : 'none seen'],
    [
      'palette',
      palette
        .map(({ name, hex, share }) => `${swatch(hex)}${percent(share).padStart(4)}  ${name} ${pc.dim(hex)}`)
        .join('\n'),
    ],
    ['pattern', `${pattern.kind} ${pc.dim(`(confidence ${percent(pattern.confidence)})`)}`],
    ['brightness', percent(result.brightness)],
    ['contrast', percent(result.contrast)],
    ['temperature', result.temperature],
    ['formality', [formality.level, ...formality.reasons.map((reason) => pc.dim(`- ${reason}`))].join('\n')],
  );
  const way = kafka ? 'Kafka' : 'the log in Postgres';
  return `${pc.bold(basename(photo))} in ${milliseconds(run.totalMs)} over ${way}, pixels ${milliseconds(result.durationMs)}\n${table.toString()}`;
}

function swatch(hex: string): string {
  if (!pc.isColorSupported) return '';
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return `\u001b[48;2;${r};${g};${b}m    \u001b[0m `;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
