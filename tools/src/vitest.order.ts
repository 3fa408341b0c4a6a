import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Wait for most of their minute, for sessions to run out and brokers to come back: they begin first. */
const LONG = new RegExp(
  [
    'kafka.conformance',
    'kafka-(brokers|faults|fences)',
    'outbox/backlog',
    'replay/replay.int',
    'redrive-crash',
    'consumer/crash',
    'broker-tail',
    'doctor.int',
    'saga/test/(amnesia|simulation|replicas)',
  ].join('|'),
);
/** Whole programs, whose many processes need both cores: they are spread among the others. */
const HEAVY = /e2e\/test\/(?!purchase).*\.int\.spec/;
/** CI builds a Jaeger meanwhile. */
const LAST = /jaeger\.int|demo-traces/;

type Place = 'long' | 'heavy' | 'last' | 'usual';

/** The order of the files of a whole run. */
export class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- Vitest's own, which is no array's
    const sorted = await super.sort(files);
    return inOrder(sorted, ({ moduleId }) => moduleId.replaceAll('\\', '/'));
  }
}

export function inOrder<T>(files: readonly T[], pathOf: (file: T) => string): T[] {
  const at = Map.groupBy(files, (file) => placeOf(pathOf(file)));
  const of = (place: Place): readonly T[] => at.get(place) ?? [];
  return [...spread(of('heavy'), [...of('long'), ...of('usual')]), ...of('last')];
}

function placeOf(path: string): Place {
  if (LAST.test(path)) return 'last';
  if (HEAVY.test(path)) return 'heavy';
  return LONG.test(path) ? 'long' : 'usual';
}

/** `few` at even distances among `many`, the first of them first. */
function spread<T>(few: readonly T[], many: readonly T[]): T[] {
  const distance = many.length / Math.max(1, few.length);
  return [
    ...few.flatMap((one, n) => [
      one,
      ...many.slice(Math.round(n * distance), Math.round((n + 1) * distance)),
    ]),
    ...(few.length === 0 ? many : []),
  ];
}
