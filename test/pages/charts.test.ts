import { html } from 'hono/html';
import { describe, expect, it } from 'vitest';
import { colorClasses } from '../../src/pages/charts/colors.ts';
import type { Chart, ChartValue } from '../../src/pages/charts/figure.ts';
import { lineChart } from '../../src/pages/charts/lines.ts';
import { sparkline } from '../../src/pages/charts/sparkline.ts';
import { stackedBars } from '../../src/pages/charts/stacked-bars.ts';
import { stepChart } from '../../src/pages/charts/steps.ts';

const values = (...numbers: (number | null)[]): ChartValue[] =>
  numbers.map((value) => ({ value, text: value === null ? 'unknown' : `$${value}.00` }));

const CHART: Chart = {
  id: 'cost',
  title: 'Cost by day <b>',
  description: 'It doubled.',
  places: ['2026-10-01', '2026-10-02', '2026-10-03'],
  series: [
    { name: 'gpt-4o', values: values(10, 20, 30) },
    { name: '<script>alert(1)</script>', values: values(0, 5, null) },
    { name: 'others', values: values(1, 1, 1), isRest: true },
  ],
  scaleText: (value) => `$${value}`,
};

const drawn = async (piece: ReturnType<typeof stackedBars>) => String(await html`${piece}`);
const pathsIn = (text: string) => [...text.matchAll(/<path class="([^"]*)" d="([^"]*)"/g)];

describe('stacked bars', () => {
  it('stand on each other from zero to a round top', async () => {
    const text = await drawn(stackedBars(CHART));
    expect(text).toContain('<span>$40</span><span>$20</span><span>$0</span>');
    const [first = [], second = [], rest = []] = pathsIn(text);
    expect(first[2]).toBe('M1.25 75h7.5V100h-7.5zM11.25 50h7.5V100h-7.5zM21.25 25h7.5V100h-7.5z');
    expect(second[2]).toBe('M11.25 37.5h7.5V50h-7.5z');
    expect(rest[1]).toBe('rest');
    expect(rest[2]).toContain('M11.25 35h7.5V37.5');
  });

  it('have title, description, every value as a table, and nothing that a strict policy refuses', async () => {
    const text = await drawn(stackedBars(CHART));
    expect(text).toContain('role="img" aria-labelledby="cost-title cost-description"');
    expect(text).toContain('<desc id="cost-description">It doubled.</desc>');
    expect([...text.matchAll(/<td class="number">([^<]*)<\/td>/g)].map(([, cell]) => cell)).toEqual([
      '$10.00',
      '$0.00',
      '$1.00',
      '$20.00',
      '$5.00',
      '$1.00',
      '$30.00',
      'unknown',
      '$1.00',
    ]);
    expect(text).toContain(
      '2 Oct\ngpt-4o: $20.00\n&lt;script&gt;alert(1)&lt;/script&gt;: $5.00\nothers: $1.00',
    );
    expect(text).not.toMatch(/style=|<script|<b>|NaN/);
  });

  it('of nothing are an empty frame', async () => {
    for (const chart of [
      { ...CHART, places: [], series: [] },
      { ...CHART, series: [{ name: 'a', values: values(0, 0, 0) }] },
      { ...CHART, series: [{ name: 'a', values: values(-3, null, 0) }] },
    ]) {
      const text = await drawn(stackedBars(chart));
      expect(pathsIn(text)).toEqual([]);
      expect(text).not.toMatch(/NaN|Infinity/);
    }
  });
});

describe('lines', () => {
  it('have a gap where a value is unknown', async () => {
    const text = await drawn(
      lineChart({
        ...CHART,
        places: ['a', 'b', 'c', 'd', 'e'],
        series: [{ name: 'x', values: values(1, 2, null, 4, 4) }],
      }),
    );
    expect(pathsIn(text)[0]?.[2]).toBe('M5,75L15,50M35,0L45,0');
  });
});

describe('lines below zero', () => {
  it('have a scale that says where they end, and zero drawn', async () => {
    const series = [{ name: 'margin', values: values(-50, 0, 50) }];
    const text = await drawn(lineChart({ ...CHART, series }));
    expect(text).toContain('<span>$60</span><span>$0</span><span>$-60</span>');
    expect(text).toContain('<line class="zero" x1="0" x2="30" y1="50" y2="50"/>');
  });
});

describe('a sparkline', () => {
  it('needs two values, says what it is, and begins at zero', async () => {
    expect(await drawn(sparkline([null, 3], 'cost'))).not.toContain('<svg');
    const text = await drawn(sparkline([0, 5, 10], 'cost of 3 days, from 0 to 10'));
    expect(text).toContain('aria-label="cost of 3 days, from 0 to 10"');
    expect(text).toContain('d="M1,19L40,10L79,1"');
  });
});

describe('colours', () => {
  it('are of the name, whatever stands beside it', () => {
    const names = ['gpt-4o', 'gpt-4o-mini', 'chat', 'summaries'];
    const alone = names.map((name) => colorClasses([name])[0]);
    for (const [index, color] of colorClasses(names).entries())
      expect(color?.split(' ')[0]).toBe(alone[index]);
  });

  it('tell apart up to three names that share one', () => {
    const names = Array.from({ length: 40 }, (_, index) => `model-${index}`);
    const shared = Object.values(Object.groupBy(names, (name) => colorClasses([name])[0] ?? '')).find(
      (group) => (group?.length ?? 0) >= 3,
    );
    const classes = colorClasses(shared?.slice(0, 3) ?? []);
    expect(new Set(classes).size).toBe(3);
    expect(new Set(names.map((name) => colorClasses([name])[0])).size).toBe(12);
  });
});

it('names each time of an axis once, and draws lines that run upon each other as one with both names', () => {
  const day = 86_400_000;
  const steps = (value: number) => [{ fromMs: -Infinity, value, text: String(value) }];
  const drawn = (days: number) =>
    String(
      stepChart({
        id: 'steps',
        title: 'Price',
        description: 'Over time',
        span: [Date.UTC(2026, 8, 3), Date.UTC(2026, 8, 3) + days * day],
        series: [
          { name: 'global', steps: steps(2.5) },
          { name: 'data zone', steps: steps(2.75) },
          { name: 'regional', steps: steps(2.75) },
        ],
        scaleText: String,
      }),
    );
  for (const days of [20, 120, 185, 187, 900]) {
    const labels = [...drawn(days).matchAll(/<li[^>]*>([^<]*20\d\d|\d+ [A-Z][a-z]+)<\/li>/g)].map(
      ([, text]) => text,
    );
    expect(labels, `${days} days`).toHaveLength(6);
    expect(new Set(labels).size, `${days} days`).toBe(6);
  }
  expect(drawn(120).match(/<path class="stroke/g)).toHaveLength(2);
  expect(drawn(120)).toContain('data zone, regional</li>');
});
