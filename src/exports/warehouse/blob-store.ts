import { createCredential } from '../../azure/credential.ts';
import { createHttpStore } from './http-store.ts';
import type { ObjectStore } from './store.ts';

const API_VERSION = '2023-11-03';
const SCOPE = 'https://storage.azure.com/.default';

/**
 * A container of Azure Blob Storage and the prefix in it: `https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX`. With a
 * shared access signature in the query it is signed by that, else by our own identity (role Storage Blob Data Contributor).
 *
 * By Put Blob and Get Blob alone: two calls do not need the client library, which brings Apache Arrow along.
 */
export function createBlobStore(address: URL): ObjectStore {
  const base = new URL(address);
  base.search = '';
  const folder = base.href.replace(/\/?$/, '/');
  const isSigned = address.searchParams.has('sig');
  const credential = isSigned ? null : createCredential(address.href);
  return createHttpStore({
    description: folder,
    urlOf: (name) => new URL(`${folder}${name}${address.search}`),
    async send(url, init) {
      const token = await credential?.getToken(SCOPE);
      const headers = {
        ...init.headers,
        'x-ms-version': API_VERSION,
        ...(token ? { Authorization: `Bearer ${token.token}` } : {}),
      };
      return await fetch(url, { ...init, headers });
    },
    putHeaders: () => ({ 'x-ms-blob-type': 'BlockBlob' }),
  });
}
