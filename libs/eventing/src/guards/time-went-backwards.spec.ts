import { describe, expect, it } from 'vitest';
import { judge, wordsOf, type Seen, type SeenPartition } from './time-went-backwards.js';

const MARK = {
  topic: 't',
  partition: 0,
  offset: 9n,
  position: 40n,
  partitions: 1,
  lows: [
    { offset: 0n, position: 1n },
    { offset: 8n, position: 39n },
  ],
};
const partition = (over: Partial<SeenPartition> = {}): SeenPartition => ({
  partition: 0,
  first: 0n,
  end: 10n,
  atMark: 40n,
  raised: [],
  highest: 40n,
  ...over,
});
const seen = (over: Partial<Seen> = {}, of: Partial<SeenPartition> = {}): Seen => ({
  sequence: 50n,
  highestRow: 50n,
  position: 50n,
  marks: [MARK],
  topics: [{ topic: 't', partitions: [partition(of)] }],
  known: new Set(),
  ...over,
});
const raised = (offset: number, sequence: number) => ({
  offset: BigInt(offset),
  eventId: `e${sequence}`,
  sequence: BigInt(sequence),
  raisedAtMs: 0,
});
const codes = (of: Seen): string[] => judge(of).findings.map(({ code }) => code);

describe('E10: what the relay makes of outbox and topics', () => {
  it('nothing, where all tell the same story', () => {
    expect(judge(seen())).toEqual({ findings: [], marks: [] });
    expect(codes(seen({ sequence: 0n, highestRow: 0n, position: 0n, marks: [], topics: [] }))).toEqual([]);
  });

  it('T1: an identity below the cursor, or below a row', () => {
    expect(codes(seen({ sequence: 49n }))).toEqual(['sequence-behind']);
    expect(codes(seen({ sequence: 50n, highestRow: 51n }))).toEqual(['sequence-behind']);
  });

  it('T2: records past the mark that the outbox knows are a crash’s, and move the mark', () => {
    const tail = { end: 12n, raised: [raised(10, 38), raised(11, 41)], highest: 41n };
    const verdict = judge(seen({ known: new Set(['e38', 'e41']) }, tail));
    expect(verdict.findings).toEqual([]);
    expect(verdict.marks).toMatchObject([
      { offset: 11n, position: 41n, lows: [{ position: 1n }, { position: 38n }] },
    ]);
    const [finding] = judge(seen({ known: new Set(['e38']) }, tail)).findings;
    expect(finding).toMatchObject({
      code: 'database-went-back',
      forgotten: [{ offset: 11n, sequence: 41n, end: 12n }],
      highest: 41n,
    });
  });

  it('T3: an end before the mark: what is lost begins there, no earlier than the lows say', () => {
    const [finding] = judge(seen({}, { end: 9n, atMark: undefined })).findings;
    expect(finding).toEqual({
      code: 'topic-behind',
      losses: [{ topic: 't', partition: 0, offset: 9n, from: 39n }],
      missing: [],
    });
    expect(finding && wordsOf(finding)).toContain(
      '`npm run aura -- replay outbox --topic t --from-position 39`',
    );
  });

  it('T3: another record at the mark: the topic was lost and has filled up again', () => {
    expect(codes(seen({}, { atMark: 7n }))).toEqual(['topic-behind']);
    expect(codes(seen({}, { atMark: null }))).toEqual(['topic-behind']);
    expect(codes(seen({ marks: [{ ...MARK, position: undefined }] }, { atMark: null }))).toEqual([]);
  });

  it('T3: a mark that retention has passed is no loss', () => {
    expect(codes(seen({}, { first: 10n, atMark: undefined }))).toEqual([]);
  });

  it('T3: a topic that is gone as a whole is said to be made first', () => {
    const [finding] = judge(seen({ topics: [{ topic: 't', partitions: undefined }] })).findings;
    expect(finding).toMatchObject({ code: 'topic-behind', missing: ['t'], losses: [{ from: undefined }] });
    expect(finding && wordsOf(finding)).toMatch(/t is gone as a whole: make it first/);
    const marks = judge(seen({ marks: [], topics: [{ topic: 't', partitions: undefined }] }));
    expect(marks.findings).toEqual([]); // never published to: it is waited for
  });

  it('T4: another partition count', () => {
    const partitions = [partition(), partition({ partition: 1, end: 0n, atMark: undefined })];
    const [finding] = judge(seen({ topics: [{ topic: 't', partitions }] })).findings;
    expect(finding).toMatchObject({ code: 'partitions-changed', topics: [{ topic: 't', had: 1, has: 2 }] });
  });

  it('T2, T3: both at once, and what stands behind a loss says nothing of the outbox', () => {
    const other = partition({ partition: 1, end: 3n, atMark: undefined, raised: [raised(2, 60)] });
    const partitions = [partition({ end: 5n, atMark: undefined, raised: [raised(4, 61)] }), other];
    const marks = [{ ...MARK, partitions: 2 }];
    const { findings } = judge(seen({ marks, topics: [{ topic: 't', partitions }] }));
    expect(findings).toMatchObject([
      { code: 'database-went-back', forgotten: [{ partition: 1 }] },
      { code: 'topic-behind', losses: [{ partition: 0 }] },
    ]);
  });
});
