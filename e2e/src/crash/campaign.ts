/**
 * One campaign: services under load, crashes in rounds, and at the end the books. The tests run short ones,
 * `npm run chaos` long ones.
 */
import { kafkaLog } from '@aura/event-log';
import { silentLogger } from '@aura/platform';
import type { Seeded } from '@aura/testing';
import { Appender } from './appender.js';
import { CrashRun, type CrashRunOptions, type StormOptions } from './crash-run.js';
import { differences } from './ledger.js';

export interface CampaignOptions {
  readonly log: CrashRunOptions['log'];
  readonly rounds: number;
  /** Default: everything. */
  readonly strikes?: StormOptions['strikes'];
  readonly random: Seeded;
  /** Called after each round, with what was crashed so far. */
  readonly onRound?: (round: number, crashes: ReadonlyMap<string, number>) => void;
}

export interface Verdict {
  /** One sentence for each way in which the promise was broken; empty where it was kept. */
  readonly broken: readonly string[];
  readonly crashes: ReadonlyMap<string, number>;
  /** What was counted, by name. */
  readonly counts: Readonly<Record<string, number>>;
  readonly tookMs: number;
}

/** Runs `body` over services and servers of its own, which are ended whatever happens. */
export async function withCrashRun<T>(
  options: CrashRunOptions,
  body: (run: CrashRun) => Promise<T>,
): Promise<T> {
  const run = await CrashRun.open(options);
  let wentWell = false;
  try {
    const result = await body(run);
    wentWell = true;
    return result;
  } finally {
    if (!wentWell) console.error(`the logs of the services are in ${run.folder}`);
    await run.close(wentWell);
  }
}

export function campaign(options: CampaignOptions): Promise<Verdict> {
  const { log } = options;
  return withCrashRun({ log, stocks: ['stock', 'stock'] }, async (run) => {
    const started = performance.now();
    const { lost, counts: appends } = await withAppender(run, options, (onRound) =>
      run.storm(options.random, {
        rounds: options.rounds,
        ...(options.strikes && { strikes: options.strikes }),
        onRound,
      }),
    );
    const ledger = await run.quiet();
    const { causes, effects, taken, packed } = ledger;
    return {
      broken: [...lost, ...differences(ledger), ...run.services.flatMap(({ deaths }) => deaths)],
      crashes: run.crashes,
      counts: {
        'orders committed': causes.length,
        effects: effects.length,
        answers: taken.length,
        tasks: packed.length,
        ...appends,
      },
      tookMs: performance.now() - started,
    };
  });
}

/** Where brokers fall, plain appends go on beside the services: what was acknowledged has to stay (H30). */
async function withAppender(
  run: CrashRun,
  { log, onRound }: CampaignOptions,
  storm: (onRound: (round: number) => Promise<void>) => Promise<void>,
): Promise<{ lost: string[]; counts: Record<string, number> }> {
  const told = (round: number): void => onRound?.(round, run.crashes);
  if (log !== 'brokers' || run.log.kind !== 'kafka') {
    await storm(async (round) => told(round));
    return { lost: [], counts: {} };
  }
  const plain = kafkaLog({ brokers: run.log.brokers, clientId: 'appender', logger: silentLogger });
  const appender = new Appender(plain);
  try {
    await appender.start();
    await storm(async (round) => {
      await appender.progress(200);
      told(round);
    });
    await appender.stop();
    const lost = (await appender.lost()).map((value) => `record ${value}: acknowledged, and gone`);
    const { acknowledged, failed } = appender;
    return { lost, counts: { 'records acknowledged': acknowledged, 'records not acknowledged': failed } };
  } finally {
    await appender.stop();
    await plain.close();
  }
}

/** What happened, in one line. */
export function figures({ counts, crashes, tookMs }: Verdict): string {
  const counted = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  const crashed = [...crashes].map(([name, times]) => `${name} ${times}`);
  return `${counted.join(', ')} in ${(tookMs / 1_000).toFixed(1)} s; crashed: ${crashed.join(', ')}`;
}
