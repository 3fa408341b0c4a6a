// Takes traces as a collector does (OTLP over HTTP), in a process of its own, and counts their spans by the
// path in front of `/v1/traces`: `node otlp-sink.mjs SETTINGS`, asked over IPC.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { answerTo } from './answering.mjs';

const [RESOURCE_SPANS, SCOPE_SPANS, SPAN] = [1, 2, 2];
const LENGTH_DELIMITED = 2;

/**
 * Spans of one `ExportTraceServiceRequest` (protobuf): resource spans > scope spans > spans. Pure. Throws a
 * `RangeError` where it is cut off.
 */
export function spansIn(message) {
  let spans = 0;
  for (const resource of fieldsOf(message, RESOURCE_SPANS))
    for (const scope of fieldsOf(resource, SCOPE_SPANS)) spans += fieldsOf(scope, SPAN).length;
  return spans;
}

/** The contents of every field of that number. Only messages and texts are met above a span. */
function fieldsOf(message, wanted) {
  const found = [];
  let at = 0;
  const varint = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      if (at >= message.length) throw new RangeError('the message is cut off');
      const byte = message[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if (tag % 8 !== LENGTH_DELIMITED) throw new RangeError(`a field of wire type ${tag % 8} is not expected`);
    const length = varint();
    if (at + length > message.length) throw new RangeError('the message is cut off');
    if (tag >> 3 === wanted) found.push(message.subarray(at, at + length));
    at += length;
  }
  return found;
}

async function serve() {
  const counts = {};
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const [, path] = request.url.split('/');
      counts[path] = (counts[path] ?? 0) + spansIn(Buffer.concat(chunks));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  answerTo({
    url: () => `http://127.0.0.1:${server.address().port}`,
    counts: () => counts,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
