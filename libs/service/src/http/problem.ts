import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';

/** One thing that is wrong with what was sent. `path` is dotted, empty for the whole. */
export interface InvalidPart {
  readonly path: string;
  readonly message: string;
}

/** A problem document (RFC 9457), as it goes over the wire as `application/problem+json`. */
export interface ProblemDocument {
  /** `about:blank` where the status says it all, else `urn:aura:problem:<what>`: what clients branch on. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** What happened, to which id, and what to do. */
  readonly detail?: string;
  /** The id of the request: also in the `X-Request-Id` header and in the logs. */
  readonly instance?: string;
  readonly errors?: readonly InvalidPart[];
  readonly [extension: string]: unknown;
}

export interface ProblemOptions {
  readonly status: number;
  /** The last part of `urn:aura:problem:<kind>`; without it the type is `about:blank`. */
  readonly kind?: string;
  /** Default: the phrase of the status. */
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly InvalidPart[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * Thrown anywhere in a request, it becomes the answer: the document and its headers. Its detail is for the
 * client.
 */
export class ProblemException extends HttpException {
  readonly problem: ProblemDocument;
  readonly headers: Readonly<Record<string, string>>;

  constructor({ status, kind, title, detail, errors, headers = {}, extensions = {}, cause }: ProblemOptions) {
    const phrase = STATUS_CODES[status] ?? 'Error';
    super(detail ?? title ?? phrase, status, { cause });
    this.headers = headers;
    this.problem = {
      type: kind ? `urn:aura:problem:${kind}` : 'about:blank',
      title: title ?? phrase,
      status,
      ...(detail ? { detail } : {}),
      ...(errors ? { errors } : {}),
      ...extensions,
    };
  }
}
