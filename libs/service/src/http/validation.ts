import { StandardSchemaValidationPipe } from '@nestjs/common';
import { type InvalidPart, ProblemException } from './problem.js';

/** What we use of the Standard Schema of zod, valibot, arktype (https://standardschema.dev). */
export interface Schema<Output> {
  readonly '~standard': {
    validate(value: unknown): Result<Output> | Promise<Result<Output>>;
  };
}
type Result<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] };
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

const MAX_ERRORS = 50;

/**
 * Checks what `@Body({ schema })`, `@Query({ schema })` and `@Param({ schema })` take in: 400 with
 * `errors`.
 */
export function validationPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({ exceptionFactory: invalid });
}

/**
 * The value as its schema gives it, or a 400 with `errors`: for what no decorator reads, such as a form's
 * fields.
 */
export async function validated<Output>(schema: Schema<Output>, value: unknown): Promise<Output> {
  const result = await schema['~standard'].validate(value);
  if (result.issues) throw invalid(result.issues);
  return result.value;
}

function invalid(issues: readonly Issue[]): ProblemException {
  const errors = issues
    .slice(0, MAX_ERRORS)
    .map((issue): InvalidPart => ({ path: pathOf(issue), message: issue.message }));
  const more = issues.length > MAX_ERRORS ? `, the first ${MAX_ERRORS} are listed` : '';
  return new ProblemException({
    status: 400,
    kind: 'invalid',
    detail: `${issues.length} part${issues.length === 1 ? ' is' : 's are'} invalid${more}: see "errors".`,
    errors,
  });
}

function pathOf({ path = [] }: Issue): string {
  return path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
}
