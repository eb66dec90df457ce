import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * A temporary directory for data directories. Whoever runs the server may pass through it, so that the server's files
 * lie in it too, and go with it.
 */
export function makeTemporaryDirectory(name: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), `tallystick-${name}-`));
  chmodSync(directory, 0o711);
  return directory;
}
