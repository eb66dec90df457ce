import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { workbookText } from '../../deploy/azure/definitions/workbook.ts';
import { FIGURES } from '../../pricing/usage/shape.ts';
import { diagnose } from './kusto.ts';

interface Item {
  type: number;
  name: string;
  content: {
    title?: string;
    query?: string;
    parameters?: { id: string; name: string; type: number; value: unknown }[];
    timeContextFromParameter?: string;
    timeContext?: { durationMs: number };
    crossComponentResources?: string[];
    gridSettings?: { formatters: { columnMatch: string }[] };
  };
}

const text = readFileSync(new URL('../../deploy/azure/tallystick.workbook.json', import.meta.url), 'utf8');
const workbook = JSON.parse(text) as { version: string; items: Item[] };
const parameters = workbook.items.flatMap(({ content }) => content.parameters ?? []);
const queries = workbook.items.filter(({ type }) => type === 3);

/** What the portal makes of a query: each parameter by its value, of a span its grain. */
function filled(query: string, values: Record<string, string> = {}): string {
  return query.replaceAll(/\{([A-Z]\w*)(?::(\w+))?\}/g, (found, name: string, part?: string) => {
    const parameter = parameters.find((entry) => entry.name === name);
    if (parameter === undefined) throw new Error(`No parameter is called ${found}.`);
    if (parameter.type === 4 && part === 'grain') return '1h';
    if (parameter.type !== 1 || part !== undefined)
      throw new Error(`${found} is none of what is put in place.`);
    return values[name] ?? String(parameter.value);
  });
}

it('is what its definition makes: npm run dashboards', () => {
  expect(text).toBe(workbookText());
  expect(workbook.version).toBe('Notebook/1.0');
  const names = workbook.items.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const ids = parameters.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

describe.each(queries.map(({ content }) => ({ title: content.title ?? '', content })))(
  '$title',
  ({ content }) => {
    it("passes Microsoft's own parser and analyser, with and without a namespace, for names with spaces", () => {
      for (const values of [{}, { Namespace: 'openai' }, { UserDimension: 'User ID' }] as Record<
        string,
        string
      >[]) {
        expect(diagnose(filled(content.query ?? '', values))).toEqual([]);
      }
    });

    it('looks at a span and at the chosen workspace, and formats columns that it has', () => {
      const span = content.timeContextFromParameter ?? content.timeContext?.durationMs;
      expect(['TimeRange', 8 * 86_400_000]).toContain(span);
      expect(content.crossComponentResources).toEqual(['{Workspace}']);
      for (const { columnMatch } of content.gridSettings?.formatters ?? []) {
        expect(diagnose(`${filled(content.query ?? '')}\n| project ${columnMatch}`)).toEqual([]);
        expect(diagnose(`${filled(content.query ?? '')}\n| project ${columnMatch}X`)).not.toEqual([]);
      }
    });
  },
);

it('knows each metric that is collected, and takes none for two', () => {
  const known = queries.find(({ content }) => content.title === 'Metrics by name')?.content.query ?? '';
  for (const { metricNames } of Object.values(FIGURES)) {
    for (const name of metricNames) expect(known.split(`"${name}"`)).toHaveLength(2);
  }
});
