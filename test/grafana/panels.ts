import { readdirSync, readFileSync } from 'node:fs';

export const FOLDER = new URL('../../deploy/grafana/', import.meta.url);

interface Target {
  refId: string;
  datasource: { type: string; uid: string };
  /** Of a query in SQL. */
  rawSql?: string;
  format?: string;
  /** Of a query to Prometheus. */
  expr?: string;
  legendFormat?: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  targets?: Target[];
  fieldConfig?: {
    defaults: { unit?: string; decimals?: number };
    overrides: { matcher: { id: string; options: string }; properties: { id: string; value: unknown }[] }[];
  };
}

interface Variable {
  name: string;
  type: string;
  query: unknown;
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  templating: { list: Variable[] };
  links: { url: string }[];
}

/** The committed dashboards, as Grafana would load them. */
export const DASHBOARDS: readonly Dashboard[] = readdirSync(new URL('dashboards/', FOLDER)).map(
  (name) => JSON.parse(readFileSync(new URL(`dashboards/${name}`, FOLDER), 'utf8')) as Dashboard,
);

/** Panels that ask for something. */
export const askingPanels = ({ panels }: Dashboard) => panels.filter(({ type }) => type !== 'row');

const dashboardOf = (uid: string): Dashboard => {
  const found = DASHBOARDS.find((dashboard) => dashboard.uid === uid);
  if (found === undefined) throw new Error(`There is no dashboard ${uid}.`);
  return found;
};

export const panelOf = (uid: string, title: string): Panel => {
  const found = dashboardOf(uid).panels.find((panel) => panel.title === title);
  if (found === undefined) throw new Error(`${uid} has no panel ${title}.`);
  return found;
};

/** What Grafana puts in place of macros and variables before a query is sent. */
export interface Range {
  from: string;
  to: string;
  variables?: Record<string, string>;
}

/**
 * The text that Grafana's Postgres source sends: `$__timeFrom()` and `$__timeTo()` as quoted instants, `${name:sqlstring}` quoted
 * with its quotes doubled.
 * @throws Error for anything of Grafana's that is left
 */
export function interpolateSql(rawSql: string, { from, to, variables = {} }: Range): string {
  const known: Record<string, string> = { '$__timeFrom()': from, '$__timeTo()': to };
  for (const [name, value] of Object.entries(variables)) known[`\${${name}:sqlstring}`] = value;
  return rawSql.replaceAll(/\$(?:\w+\(\)|\{[^}]*\})?/g, (found) => {
    const value = known[found];
    if (value === undefined) throw new Error(`Nobody says what ${found} is in ${rawSql}`);
    return `'${value.replaceAll("'", "''")}'`;
  });
}
