import type { Api, ApiDependencies } from './dependencies.ts';

/** Adds `GET /openapi.json`: OpenAPI 3.1, made from the same schemas that check requests. */
export function addOpenApiDocument(api: Api, dependencies: ApiDependencies): void {
  api.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'tsk_...',
    description:
      'An API key made with "tallystick keys create". The scopes beside a route are those of which the key needs one; admin has all.',
  });
  const { version } = dependencies;
  api.doc31('/openapi.json', (context) => ({
    openapi: '3.1.0',
    info: {
      title: 'Tallystick',
      version,
      description:
        'Token usage of Azure OpenAI behind API Management, metered in OpenMeter and billed through Stripe. Times are UTC, windows half-open, counts and amounts decimal text.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: new URL(context.req.url).origin }],
    tags: [
      {
        name: 'Customers',
        description: 'Who is invoiced, and the subjects (internal user ids) that belong to them.',
      },
      { name: 'Usage', description: 'Settled token counts.' },
      { name: 'Billing', description: 'Invoice previews, statements and cost quotes.' },
      { name: 'Evidence', description: 'From a line of an invoice to the rows of the source.' },
      { name: 'Pipeline', description: 'How far the work is, and what waits.' },
      { name: 'Service', description: 'Liveness and readiness.' },
    ],
  }));
}
