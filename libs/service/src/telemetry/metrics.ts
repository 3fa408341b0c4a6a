import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import type { Request, Response } from 'express';
import { sendProblem } from '../http/problem.filter.js';
import { ProblemException } from '../http/problem.js';

let reader: PrometheusExporter | undefined;

/** The process's one reader; a second server for scrapes is not started. */
export function openMetrics(): PrometheusExporter {
  return (reader = new PrometheusExporter({ preventServerStart: true }));
}

export function closeMetrics(): void {
  reader = undefined;
}

/** `GET /metrics` for Prometheus. Services that share a process share their metrics: each answers for all. */
export function serveMetrics(request: Request, response: Response): void {
  if (reader) reader.getMetricsRequestHandler(request, response);
  else sendProblem(response, new ProblemException({ status: 404, detail: 'Telemetry is not running here.' }));
}
