import { z } from 'zod';

/** A zod schema as the OpenAPI page shows it: what is sent, or, of an answer, what is got. */
export function schemaOf(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' });
}
