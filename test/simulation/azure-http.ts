import { createHttpHeaders, type HttpClient, type PipelineResponse } from '@azure/core-rest-pipeline';

/** Azure's SDK over a `fetch`: what its own client does with sockets, without them. */
export function createAzureHttpClient(fetch: typeof globalThis.fetch): HttpClient {
  return {
    async sendRequest(request): Promise<PipelineResponse> {
      const response = await fetch(request.url, {
        method: request.method,
        headers: request.headers.toJSON(),
        body: typeof request.body === 'string' ? request.body : null,
      });
      return {
        request,
        status: response.status,
        headers: createHttpHeaders(Object.fromEntries(response.headers)),
        bodyAsText: await response.text(),
      };
    },
  };
}
