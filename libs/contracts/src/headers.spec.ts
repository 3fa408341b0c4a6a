import { describe, expect, it } from 'vitest';
import { UnreadableEventError } from './errors.js';
import { cloudEventHeaders, parseEventHeaders, type PublishedEvent } from './headers.js';

const event: PublishedEvent = {
  id: '0199b0c5-1234-7abc-8def-000000000001',
  type: 'gateway.PhotoReceived',
  source: 'gateway',
  key: 'k1',
  time: new Date('2026-11-24T20:15:00.123Z'),
  sequence: 2n ** 60n,
  fingerprint: '0123456789abcdef',
  carried: { traceparent: '00-a-b-01', correlationid: 'c1', causationid: 'c2', replayid: 'r1' },
};

describe('CloudEvents headers, Kafka binding, binary mode', () => {
  it('name what the specification names', () => {
    expect(cloudEventHeaders(event)).toEqual({
      ce_specversion: '1.0',
      ce_id: event.id,
      ce_type: 'gateway.PhotoReceived',
      ce_source: 'gateway',
      ce_time: '2026-11-24T20:15:00.123Z',
      ce_subject: 'k1',
      ce_sequence: '1152921504606846976',
      ce_dataschema: 'urn:aura:schema:0123456789abcdef',
      'content-type': 'application/avro',
      traceparent: '00-a-b-01',
      correlationid: 'c1',
      causationid: 'c2',
      replayid: 'r1',
    });
  });

  it('what a row carries can not stand in for what the platform says', () => {
    const headers = cloudEventHeaders({ ...event, carried: { ce_id: 'forged', ce_sequence: '1' } });
    expect(headers['ce_id']).toBe(event.id);
    expect(headers['ce_sequence']).toBe('1152921504606846976');
  });

  it('are read back', () => {
    const { key: _key, carried: _carried, ...rest } = event;
    expect(parseEventHeaders(cloudEventHeaders(event))).toEqual({
      ...rest,
      correlationId: 'c1',
      causationId: 'c2',
      replayId: 'r1',
    });
  });

  it('sequence, schema and ids of a foreign record may be missing', () => {
    const { ce_sequence: _s, ce_dataschema: _d, correlationid: _c, ...foreign } = cloudEventHeaders(event);
    expect(parseEventHeaders(foreign)).toMatchObject({
      sequence: undefined,
      fingerprint: undefined,
      correlationId: undefined,
    });
  });

  it('every missing or malformed header is named', () => {
    const broken: Record<string, string> = {
      ...cloudEventHeaders(event),
      ce_id: '0199b0c5-1234-4abc-8def-000000000001',
      ce_time: 'yesterday',
      ce_sequence: '-1',
      ce_dataschema: 'urn:aura:schema:zz',
    };
    const { ce_source: _source, ...rest } = broken;
    const parse = (): unknown => parseEventHeaders(rest);
    expect(parse).toThrow(UnreadableEventError);
    for (const part of [
      'ce_id is "0199b0c5',
      'ce_time is "yesterday"',
      'ce_sequence is "-1"',
      'ce_source is missing',
      'ce_dataschema is malformed',
    ])
      expect(parse).toThrow(part);
  });
});
