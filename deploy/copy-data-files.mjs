// The compiler takes TypeScript and JSON along; migrations, plans and maps are read from beside the code at run time.
import { cpSync } from 'node:fs';
import path from 'node:path';

const target = process.argv[2] ?? 'dist';
for (const folder of ['src/platform/database/migrations', 'pricing/plans', 'pricing/data']) {
  cpSync(folder, path.join(target, folder), { recursive: true });
}
