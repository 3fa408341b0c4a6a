// A client that keeps its connections, as a gateway in front of a service does: `fetch` would cost the
// measured machine more than what it asks for.
import { Agent, request } from 'node:http';

/** @returns what was sent to `path` is answered with: status and the parsed body */
export function jsonClient(url) {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(url);
  return {
    post(path, body, headers = {}) {
      const text = JSON.stringify(body);
      const sent = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const options = { agent, hostname, port, path, method: 'POST', headers: { ...sent, ...headers } };
      return new Promise((resolve, reject) => {
        const asking = request(options, (answer) => {
          const chunks = [];
          answer.on('data', (chunk) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            const said = String(Buffer.concat(chunks));
            resolve({ status: answer.statusCode, body: said === '' ? null : JSON.parse(said) });
          });
        });
        asking.on('error', reject);
        asking.end(text);
      });
    },
    close: () => agent.destroy(),
  };
}
