import { describe, expect, it } from 'vitest';
import { inOrder } from './vitest.order.ts';

const order = (...paths) => inOrder(paths, (path) => path);

describe('the order of a whole run', () => {
  it('begins with what waits long, spreads whole programs, and ends with what needs a Jaeger', () => {
    const files = [
      'tools/infra/jaeger.int.spec.mjs',
      'libs/a/src/a.spec.ts',
      'e2e/test/crash-ledger.kafka.int.spec.ts',
      'libs/a/src/b.spec.ts',
      'libs/event-log/test/kafka.conformance.int.spec.ts',
      'e2e/test/demo-traces.int.spec.ts',
      'e2e/test/demo-killed.int.spec.ts',
      'libs/a/src/c.spec.ts',
    ];
    expect(order(...files)).toEqual([
      'e2e/test/crash-ledger.kafka.int.spec.ts',
      'libs/event-log/test/kafka.conformance.int.spec.ts',
      'libs/a/src/a.spec.ts',
      'e2e/test/demo-killed.int.spec.ts',
      'libs/a/src/b.spec.ts',
      'libs/a/src/c.spec.ts',
      'tools/infra/jaeger.int.spec.mjs',
      'e2e/test/demo-traces.int.spec.ts',
    ]);
  });

  it('loses nothing where there is nothing to spread, or nothing to spread it among', () => {
    expect(order('a.spec.ts', 'b.spec.ts')).toEqual(['a.spec.ts', 'b.spec.ts']);
    expect(order('e2e/test/a.int.spec.ts')).toEqual(['e2e/test/a.int.spec.ts']);
    expect(order()).toEqual([]);
  });
});
