/**
 * The HTTP side of every service, wired in one place: request ids, access log, helmet, body limits,
 * problems, validation, time-outs, spans, metrics, docs.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Reflector } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import type { ServiceParts } from '../service.module.js';
import { HandlerSpans } from '../telemetry/handler-spans.js';
import { serveMetrics } from '../telemetry/metrics.js';
import { BodyTypeGuard, bodyProblems } from './body.js';
import { serveDocs } from './openapi.js';
import { ProblemFilter } from './problem.filter.js';
import { accessLog, requestId } from './request-id.js';
import { TimeoutInterceptor } from './timeout.interceptor.js';
import { validationPipe } from './validation.js';

/** How long requests under way may take when the service stops (ms); less than a part of Shutdown has. */
const DRAIN_MS = 8_000;

/** Everything before `listen`. The application must have been created with `bodyParser: false`. */
export function configureHttp(app: NestExpressApplication, { config, logger }: ServiceParts): void {
  app.disable('x-powered-by');
  app.use(requestId(logger), accessLog(logger));
  // TLS ends before us, and the embedded default has none: no page may be told to insist on it.
  app.use(
    helmet({
      strictTransportSecurity: false,
      contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
    }),
  );
  app.use('/metrics', serveMetrics);
  app.useBodyParser('json', { limit: config.httpBodyLimitBytes });
  app.use(bodyProblems(config.httpBodyLimitBytes));
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalGuards(new BodyTypeGuard(app.get(Reflector)));
  app.useGlobalInterceptors(new HandlerSpans(config.name), new TimeoutInterceptor(config.httpTimeoutMs));
  app.useGlobalPipes(validationPipe());
  if (config.docs) serveDocs(app, config.name);
  const server: Server = app.getHttpServer();
  server.requestTimeout = config.httpTimeoutMs;
  server.headersTimeout = Math.min(server.headersTimeout, config.httpTimeoutMs);
  server.on('clientError', answerClientError);
}

/** What Node could not read as a request never reaches Express: it gets its problem here. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, title] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request'];
  const body = JSON.stringify({ type: 'about:blank', title, status });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Takes no more connections, lets requests under way finish, and cuts what is left after `DRAIN_MS`. */
export function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // A kept-alive connection becomes idle after its answer: close() has closed only those that were idle
    // before.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
  });
}
