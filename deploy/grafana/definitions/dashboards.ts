import { ANOMALIES } from './anomalies.ts';
import { CUSTOMERS } from './customers.ts';
import { FEATURES_DASHBOARD } from './features.ts';
import { OPERATIONS } from './operations.ts';

const DASHBOARDS = [CUSTOMERS, FEATURES_DASHBOARD, ANOMALIES, OPERATIONS];

/** Each dashboard's file by its name, as Grafana reads it. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    DASHBOARDS.map((dashboard) => [`${dashboard.uid}.json`, `${JSON.stringify(dashboard, null, 2)}\n`]),
  );
}
