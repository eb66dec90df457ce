import type { TokenCredential } from '@azure/identity';
import { isLoopback } from './loopback-http.ts';

/**
 * How we prove who we are: `DefaultAzureCredential` for the real service (environment, workload identity,
 * managed identity, developer tools, in that order), a constant token for a stand-in on this machine.
 */
export function createCredential(endpoint: string): TokenCredential {
  return isLoopback(endpoint) ? createStaticCredential('sandbox') : createDefaultCredential();
}

/** Always the same token; for stand-ins. */
function createStaticCredential(token: string): TokenCredential {
  return {
    getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 86_400_000 }),
  };
}

/** Loads @azure/identity at the first query only: it is large, and the sandbox never needs it. */
function createDefaultCredential(): TokenCredential {
  let loading: Promise<TokenCredential> | null = null;
  return {
    getToken: async (scopes, options) => {
      loading ??= import('@azure/identity').then(
        ({ DefaultAzureCredential }) => new DefaultAzureCredential(),
      );
      return (await loading).getToken(scopes, options);
    },
  };
}
