import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboardFiles } from '../../deploy/grafana/definitions/dashboards.ts';
import { askingPanels, DASHBOARDS, FOLDER } from './panels.ts';

const read = (name: string) => readFileSync(new URL(name, FOLDER), 'utf8');

it('the committed dashboards are what their definitions make: npm run dashboards', () => {
  const files = dashboardFiles();
  expect(DASHBOARDS.map(({ uid }) => `${uid}.json`).sort()).toEqual([...files.keys()].sort());
  for (const [name, text] of files) expect(read(`dashboards/${name}`), name).toBe(text);
});

describe.each(DASHBOARDS)('$uid', (dashboard) => {
  const panels = askingPanels(dashboard);
  const sources = dashboard.templating.list.filter(({ type }) => type === 'datasource');

  it('says of every panel what it shows, in which unit, and is no pie', () => {
    expect(panels.length).toBeGreaterThan(3);
    for (const panel of panels) {
      expect(panel.description?.length, panel.title).toBeGreaterThan(20);
      expect(['stat', 'table', 'timeseries'], panel.title).toContain(panel.type);
      if (panel.type === 'timeseries') {
        expect(panel.fieldConfig?.defaults, panel.title).toMatchObject({
          unit: expect.any(String),
          decimals: expect.any(Number),
        });
      }
    }
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('asks the sources that it lets choose, and leads to the console that it is told', () => {
    const known = new Map(sources.map(({ name, query }) => [`\${${name}}`, query]));
    for (const { title, targets = [] } of panels) {
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { datasource } of targets) expect(known.get(datasource.uid), title).toBe(datasource.type);
    }
    expect(dashboard.templating.list.find(({ name }) => name === 'console')).toMatchObject({
      type: 'textbox',
      query: 'http://127.0.0.1:8787',
    });
    const text = JSON.stringify(dashboard);
    const addresses = [...text.matchAll(/"url":"([^"]*)"/g)].map(([, url]) => url ?? '');
    expect(addresses.filter((url) => url !== '').length).toBeGreaterThan(0);
    for (const url of addresses.filter((url) => url !== '')) expect(url).toMatch(/^\$\{console\}\/console\//);
    const variables = new Set([...dashboard.templating.list.map(({ name }) => name), '__data']);
    for (const [, name] of text.matchAll(/\$\{(\w+)/g)) expect(variables).toContain(name);
  });
});

it('the provisioning gives sources of the kinds that the dashboards ask, and a place for them', () => {
  const { datasources } = parse(read('provisioning/datasources/tallystick.yaml')) as {
    datasources: { type: string; uid: string; secureJsonData?: { password: string } }[];
  };
  const kinds = new Set(
    DASHBOARDS.flatMap((dashboard) => dashboard.templating.list)
      .filter(({ type }) => type === 'datasource')
      .map(({ query }) => query),
  );
  expect(new Set(datasources.map(({ type }) => type))).toEqual(kinds);
  for (const { secureJsonData } of datasources) {
    expect(secureJsonData?.password ?? '$').toMatch(/^\$/);
  }
  const { providers } = parse(read('provisioning/dashboards/tallystick.yaml')) as {
    providers: { type: string; options: { path: string } }[];
  };
  expect(providers).toMatchObject([{ type: 'file', options: { path: expect.stringMatching(/^\//) } }]);
});
