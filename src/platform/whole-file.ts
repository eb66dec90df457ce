import { open, rename, rm } from 'node:fs/promises';

/**
 * Writes a file whole or not at all: whoever reads meets what was there before, or all of it.
 * @throws what making a part throws
 */
export async function writeWholeFile(file: string, parts: AsyncIterable<Uint8Array>): Promise<void> {
  // Beside it, so that taking its place is one step; of this process alone.
  const unfinished = `${file}.${process.pid}.unfinished`;
  try {
    const handle = await open(unfinished, 'w');
    try {
      for await (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
