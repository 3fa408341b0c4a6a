import { connect, type Socket } from 'node:net';
import { settled } from '@aura/testing';
import { Controller, Get, Module, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, startTestService } from '../../test/service.js';
import type { RunningService } from '../start-service.js';
import { EventStreams, format, type EventStream } from './event-streams.js';

const opened: EventStream[] = [];
const small = new EventStreams({ maxStreams: 2, maxBufferedBytes: 64 * 1024, heartbeatMs: 20 });

@Controller('events')
class EventsController {
  constructor(private readonly streams: EventStreams) {}

  @Get()
  all(@Req() request: Request, @Res() response: Response): void {
    opened.push(this.streams.open(request, response));
  }

  @Get('small')
  few(@Req() request: Request, @Res() response: Response): void {
    opened.push(small.open(request, response));
  }
}

@Module({ controllers: [EventsController] })
class EventsModule {}

let service: RunningService;
beforeAll(async () => {
  service = await startTestService(EventsModule);
});
afterAll(() => service.stop());

/** A client that reads what arrives, until `stop`. */
async function client(path: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const before = opened.length;
  const response = await fetch(service.url + path, { headers, signal: abort.signal });
  const read = { text: '', ended: false };
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) read.text += decoder.decode(chunk, { stream: true });
    read.ended = true;
  })().catch(() => undefined);
  const stream = opened[before];
  if (!stream) throw new Error('no stream was opened');
  const stop = async (): Promise<void> => {
    abort.abort();
    await reading;
    await settled('the server knows', () => stream.closed.aborted);
  };
  return { response, read, stream, stop };
}

describe('event streams', () => {
  it('send events as text/event-stream, with id, type and data', async () => {
    const { response, read, stream, stop } = await client('/events', { 'last-event-id': '41' });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(stream.lastEventId).toBe('41');
    await stream.send({ id: '42', type: 'progress', data: { step: 'ä\n"' } });
    await stream.send({ data: 1 });
    await settled('both', () => read.text.includes('data: 1'));
    expect(read.text).toBe(
      `retry: 2000\n\nid: 42\nevent: progress\ndata: ${JSON.stringify({ step: 'ä\n"' })}\n\ndata: 1\n\n`,
    );
    await stop();
    await stream.send({ data: 'nobody' }); // resolves: the feeder need not know
  });

  it('can not be broken by an id or a type with line ends', () => {
    expect(format({ id: '1\ndata: forged', type: 'a\r\nb', data: 1 })).toBe(
      'id: 1data: forged\nevent: ab\ndata: 1\n\n',
    );
  });

  it('are kept alive by comments', async () => {
    const { read, stop } = await client('/events/small');
    await settled('a heartbeat', () => read.text.includes(':\n\n:\n\n'));
    await stop();
  });

  it('V2: the one over the limit gets a 503, and a place that is given back is free', async () => {
    const first = await client('/events/small');
    const second = await client('/events/small');
    const refused = await ask(`${service.url}/events/small`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(refused.json).toMatchObject({ type: 'urn:aura:problem:too-many-streams' });
    await first.stop();
    const third = await client('/events/small');
    await second.stop();
    await third.stop();
    expect(small.size).toBe(0);
  });

  it('V1: a client that does not read makes send wait, then is cut; its memory stays bounded', async () => {
    const before = opened.length;
    const socket = await rawClient('/events/small');
    const stream = await settled('opened', () => opened[before]);
    const data = 'x'.repeat(16 * 1024);
    let waiting = 0;
    let sent = 0;
    // Until the kernel's buffers are full as well, and then ours.
    while (!stream.closed.aborted && sent < 4_000) {
      waiting++;
      sent++;
      void stream.send({ data }).then(() => waiting--);
      if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(stream.closed.aborted).toBe(true);
    await settled('nobody waits for ever', () => waiting === 0);
    socket.destroy();
  });

  it('V3: end when the service stops, which then opens no other', async () => {
    const other = await startTestService(EventsModule);
    const before = opened.length;
    const response = await fetch(`${other.url}/events`);
    const stream = opened[before];
    const streams = other.app.get(EventStreams);
    expect(streams.size).toBe(1);
    await other.stop();
    expect(await response.text()).toBe('retry: 2000\n\n');
    expect(stream?.closed.aborted).toBe(true);
    expect(() => streams.open({} as Request, {} as Response)).toThrow('The service is stopping.');
  });
});

/** A client that asks and never reads. */
function rawClient(path: string): Promise<Socket> {
  const { port } = new URL(service.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.pause();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      resolve(socket);
    });
    socket.on('error', () => undefined);
  });
}
