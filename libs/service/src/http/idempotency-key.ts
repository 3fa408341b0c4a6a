import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { ProblemException } from './problem.js';

const PRINTABLE = /^[\x21-\x7e]{1,255}$/;

/**
 * The key in an `Idempotency-Key` header: 1 to 255 printable ASCII characters without spaces, bare or as
 * the quoted string of the IETF draft (draft-ietf-httpapi-idempotency-key-header). Undefined where there is
 * none. Throws a 400 otherwise.
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (PRINTABLE.test(key)) return key;
  throw new ProblemException({
    status: 400,
    kind: 'idempotency-key',
    detail: 'Idempotency-Key must be 1 to 255 printable ASCII characters without spaces, for example a UUID.',
  });
}

const readKey = createParamDecorator((required: boolean, context: ExecutionContext): string | undefined => {
  const request = context.switchToHttp().getRequest<Request>();
  const key = parseIdempotencyKey(request.get('Idempotency-Key'));
  if (key === undefined && required)
    throw new ProblemException({
      status: 400,
      kind: 'idempotency-key',
      detail: 'This request needs an Idempotency-Key header: send the same key when you repeat it.',
    });
  return key;
});

/**
 * A handler's parameter: the request's idempotency key, `string`, or `string | undefined` where it is not
 * required.
 */
export function IdempotencyKey({ required = true }: { required?: boolean } = {}): ParameterDecorator {
  return (target, method, index) => {
    readKey(required)(target, method, index);
    const descriptor = method === undefined ? undefined : Object.getOwnPropertyDescriptor(target, method);
    if (method !== undefined && descriptor)
      ApiHeader({
        name: 'Idempotency-Key',
        required,
        description: 'The same for a request and its repetitions.',
      })(target, method, descriptor);
  };
}
