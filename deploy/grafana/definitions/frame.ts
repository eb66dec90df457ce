import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PROMETHEUS, REPORTING } from './queries.ts';

export interface DashboardFacts {
  uid: string;
  title: string;
  description: string;
  /** The console's page of the same subject, as an address below it. */
  consolePath: string;
  /** Looked at as it goes on, and therefore read again by itself. */
  isLive?: boolean;
  needsPrometheus?: boolean;
  variables?: readonly Builder<VariableModel>[];
}

/** Panels below a heading. */
export interface Section {
  title?: string;
  panels: readonly Builder<Panel>[];
}

/** Where the console is, as `PORT` has it by default. */
const CONSOLE = 'http://127.0.0.1:8787';

/** A dashboard in UTC with what all of them have: where data comes from, where the console is, links to one another. */
export function dashboard(facts: DashboardFacts, sections: readonly Section[]): Dashboard {
  const builder = new DashboardBuilder(facts.title)
    .uid(facts.uid)
    .description(facts.description)
    .tags(['tallystick'])
    .timezone('utc')
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: facts.isLive ? 'now-24h' : 'now-30d', to: 'now' })
    .refresh(facts.isLive ? '1m' : '')
    .annotations([])
    .links([
      new DashboardLinkBuilder('Tallystick')
        .type(DashboardLinkType.Dashboards)
        .tags(['tallystick'])
        .keepTime(true),
      new DashboardLinkBuilder('Console')
        .type(DashboardLinkType.Link)
        .url(`\${console}${facts.consolePath}`)
        .targetBlank(true),
    ])
    .variables([
      sourceVariable('reporting', 'Reporting', REPORTING),
      ...(facts.needsPrometheus ? [sourceVariable('prometheus', 'Prometheus', PROMETHEUS)] : []),
      ...(facts.variables ?? []),
      textVariable('console', 'Console', CONSOLE, 'Address of the console, which links lead to'),
    ]);
  for (const { title, panels } of sections) {
    if (title !== undefined) builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  const built = builder.build();
  // Links to a panel, and alerts on it, name it by its number.
  const numbered = built.panels?.map((panel, index) => ({ ...panel, id: index + 1 }));
  return { ...built, ...(numbered === undefined ? {} : { panels: numbered }) };
}

const sourceVariable = (name: string, label: string, { type }: DataSourceRef) =>
  new DatasourceVariableBuilder(name).label(label).type(type ?? '');

/** Free text with a default. */
export const textVariable = (name: string, label: string, value: string, description: string) =>
  new TextBoxVariableBuilder(name)
    .label(label)
    .description(description)
    .defaultValue(value)
    .current({ text: value, value, selected: true });

/** One of what a query finds: by `__text`, with `__value` as its value. */
export const choiceVariable = (name: string, label: string, rawSql: string) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(REPORTING)
    .query(rawSql)
    .definition(rawSql)
    .refresh(VariableRefresh.OnDashboardLoad)
    .sort(VariableSort.AlphabeticalCaseInsensitiveAsc)
    .multi(false)
    .includeAll(false);
