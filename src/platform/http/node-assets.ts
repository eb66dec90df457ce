import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { AssetReader } from './dependencies.ts';
import { REFERENCE_PAGE_FILES } from './reference-page.ts';

/** Reads the reference page's files from the installed `swagger-ui-dist`. For Node only. */
export const readNodeAsset: AssetReader = async (name) => {
  if (!Object.hasOwn(REFERENCE_PAGE_FILES, name)) return null;
  const manifest = createRequire(import.meta.url).resolve('swagger-ui-dist/package.json');
  return new Uint8Array(await readFile(path.join(path.dirname(manifest), name)));
};
