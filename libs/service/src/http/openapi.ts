import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

const PROBLEM_SCHEMA = {
  type: 'object' as const,
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string', example: 'about:blank' },
    title: { type: 'string', example: 'Not Found' },
    status: { type: 'integer', example: 404 },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'Id of the request.' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } },
    },
  },
};

/**
 * Serves the OpenAPI document at /openapi.json and a page for people at /docs, from this process alone: no
 * CDN.
 */
export function serveDocs(app: INestApplication, name: string): void {
  const info = new DocumentBuilder()
    .setTitle(name)
    .setDescription('Errors are problem documents (RFC 9457), `application/problem+json`.')
    .setVersion('1')
    .build();
  SwaggerModule.setup('docs', app, () => withProblems(SwaggerModule.createDocument(app, info)), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: `${name}: API`,
    // The badge would ask validator.swagger.io about this document.
    swaggerOptions: { validatorUrl: null },
  });
}

/** Every operation may answer with a problem. */
function withProblems(document: OpenAPIObject): OpenAPIObject {
  const problem = {
    description: 'A problem',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  for (const path of Object.values(document.paths))
    for (const operation of [path.get, path.put, path.post, path.patch, path.delete])
      if (operation) operation.responses = { default: problem, ...operation.responses };
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: PROBLEM_SCHEMA },
  };
  return document;
}
