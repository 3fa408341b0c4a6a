/**
 * The most traces that are kept in memory; the oldest go first. A trace of a saga is some 60 kB, so a full
 * one takes about 600 MB.
 */
const MAX_TRACES = 10_000;

const at = (port) => ({ endpoint: `127.0.0.1:${port}` });

/**
 * The settings of a Jaeger (2.x) for development: memory only, every port on 127.0.0.1, nothing told to
 * anybody. JSON, which is YAML too. Pure.
 *
 * @param {{ port: number, otlpPort: number }} ports of its pages and query API, and of OTLP over HTTP
 */
export function jaegerConfig({ port, otlpPort }) {
  const config = {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
      telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
    },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: MAX_TRACES } } } },
      // Its gRPC can't be left out; nobody asks it.
      jaeger_query: { storage: { traces: 'memory' }, http: at(port), grpc: at(0) },
    },
    receivers: { otlp: { protocols: { http: at(otlpPort) } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
