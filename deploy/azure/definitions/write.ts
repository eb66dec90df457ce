/** Writes the workbook's JSON from its definition; part of `npm run dashboards`. */
import { writeFileSync } from 'node:fs';
import { workbookText } from './workbook.ts';

writeFileSync(new URL('../tallystick.workbook.json', import.meta.url), workbookText());
console.log('deploy/azure/tallystick.workbook.json');
