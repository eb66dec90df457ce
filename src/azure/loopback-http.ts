import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';

const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]']);

export function isLoopback(address: string): boolean {
  return LOOPBACK_HOSTS.has(new URL(address).hostname);
}

/**
 * The SDK's bearer policy refuses plain http even where `allowInsecureConnection` is set. For a stand-in on
 * this machine the client is therefore given an https address, and this http client takes the s away again
 * on the way out; requests to any other host than loopback are refused.
 */
export function createLoopbackHttpClient(): HttpClient {
  const inner = createDefaultHttpClient();
  return {
    sendRequest: (request) => {
      if (!isLoopback(request.url)) {
        return Promise.reject(new Error('The loopback client was asked for an address elsewhere'));
      }
      request.url = request.url.replace(/^https:/, 'http:');
      request.allowInsecureConnection = true;
      return inner.sendRequest(request);
    },
  };
}

/** How the SDK must be told the address of a plain http stand-in. */
export function disguiseEndpoint(endpoint: string): string {
  return endpoint.replace(/^http:/, 'https:');
}
