import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ObjectStore } from './store.ts';

/** A folder of this machine, or one that is mounted. */
export function createFolderStore(folder: string): ObjectStore {
  return {
    description: folder,
    async put(name, { blob }) {
      const file = path.join(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      // Beside it, so that taking its place is one step; of this process alone.
      const unfinished = `${file}.${process.pid}.unfinished`;
      try {
        const handle = await open(unfinished, 'w');
        try {
          for await (const part of blob.stream()) await handle.writeFile(part);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(unfinished, file);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    },
    async read(name) {
      try {
        return await readFile(path.join(folder, name), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
  };
}
