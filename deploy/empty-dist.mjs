// What an earlier build left must not travel in a package.
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
