import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TallystickError } from '../../platform/errors.ts';
import type { ObjectStore } from './store.ts';

const MANIFEST_NAME = 'manifest.json';
/** Of what lies there: another one has every day written again. */
const LAYOUT = 1;

const tableSchema = z.object({
  path: z.string(),
  rowCount: z.number().int(),
  byteCount: z.number().int(),
  sha256: z.string(),
});
const daySchema = z.object({
  /** How often the day was rated when it was written. */
  revision: z.string(),
  priceBookVersion: z.string(),
  ratedAt: z.string(),
  writtenAt: z.string(),
  tables: z.record(z.string(), tableSchema),
});
const manifestSchema = z.object({ layout: z.number().int(), days: z.record(z.string(), daySchema) });

export type ManifestTable = z.output<typeof tableSchema>;
export type ManifestDay = z.output<typeof daySchema>;
/** What lies in a warehouse, by day; `YYYY-MM-DD` is the key. */
export type Manifest = z.output<typeof manifestSchema>;

/**
 * What lies there; nothing, where there is no manifest, or one of another layout.
 * @throws TallystickError CONFLICT when there is one that is not ours
 */
export async function readManifest(store: ObjectStore): Promise<Manifest> {
  const text = await store.read(MANIFEST_NAME);
  if (text === null) return { layout: LAYOUT, days: {} };
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new TallystickError(`${MANIFEST_NAME} in ${store.description} is none of ours`, {
      code: 'CONFLICT',
      retry: false,
      fix: 'Give a folder or a prefix of its own; or take the file away, and every day is written again.',
      cause: parsed.error,
    });
  }
  return parsed.data.layout === LAYOUT ? parsed.data : { layout: LAYOUT, days: {} };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Written last, after the objects that it names. */
export async function writeManifest(store: ObjectStore, manifest: Manifest): Promise<void> {
  const days = Object.fromEntries(
    Object.entries(manifest.days).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
  const text = `${JSON.stringify({ ...manifest, days }, null, 1)}\n`;
  const sha256 = createHash('sha256').update(text).digest('hex');
  await store.put(MANIFEST_NAME, { blob: new Blob([text]), sha256 });
}
