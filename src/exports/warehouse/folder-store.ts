import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeWholeFile } from '../../platform/whole-file.ts';
import type { ObjectStore } from './store.ts';

/** A folder of this machine, or one that is mounted. */
export function createFolderStore(folder: string): ObjectStore {
  return {
    description: folder,
    async put(name, { blob }) {
      const file = path.join(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeWholeFile(file, blob.stream());
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
