/** Writes the dashboards' JSON from their definitions: `npm run dashboards`. A test holds what is committed to what they make. */
import { writeFileSync } from 'node:fs';
import { dashboardFiles } from './dashboards.ts';

for (const [name, text] of dashboardFiles()) {
  writeFileSync(new URL(`../dashboards/${name}`, import.meta.url), text);
  console.log(`deploy/grafana/dashboards/${name}`);
}
