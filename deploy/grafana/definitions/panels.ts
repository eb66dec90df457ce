import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import {
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingMode,
  TableCellHeight,
  TooltipDisplayMode,
  VisibilityMode,
} from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

/** Full width of a dashboard, in Grafana's columns. */
const WIDTH = 24;

export interface PanelFacts {
  title: string;
  /** What the figures are, and what they are not. */
  description: string;
  width?: number;
  height?: number;
}

/** How a column's or a field's values are shown. */
export interface Field {
  /** Of the query's column. */
  name: string;
  title: string;
  unit?: string;
  decimals?: number;
  /** An address below the console, with `${__data.fields...}` for what stands in the row. */
  leadsTo?: string;
  width?: number;
  /** Only for links. */
  isHidden?: boolean;
  /** Values from here on stand out. */
  warnFrom?: number;
  /** Values below stand out. */
  warnBelow?: number;
}

export const USD = { unit: 'currencyUSD', decimals: 2 };
export const SMALL_USD = { unit: 'currencyUSD', decimals: 4 };
export const COUNT = { unit: 'locale', decimals: 0 };
export const SHARE = { unit: 'percentunit', decimals: 1 };
export const TIMES = { unit: 'none', decimals: 1 };
export const AGE = { unit: 's', decimals: 0 };

/** A link to a page of the console. */
const consoleLink = (address: string) => ({
  title: 'Open in the console',
  url: `\${console}${address}`,
  targetBlank: true,
});

function propertiesOf(field: Field): DynamicConfigValue[] {
  const steps =
    field.warnFrom !== undefined
      ? [
          { color: 'text', value: null },
          { color: 'orange', value: field.warnFrom },
        ]
      : field.warnBelow !== undefined
        ? [
            { color: 'orange', value: null },
            { color: 'text', value: field.warnBelow },
          ]
        : null;
  return [
    { id: 'displayName', value: field.title },
    ...(field.unit === undefined ? [] : [{ id: 'unit', value: field.unit }]),
    ...(field.decimals === undefined ? [] : [{ id: 'decimals', value: field.decimals }]),
    ...(field.width === undefined ? [] : [{ id: 'custom.width', value: field.width }]),
    ...(field.isHidden ? [{ id: 'custom.hidden', value: true }] : []),
    ...(field.leadsTo === undefined ? [] : [{ id: 'links', value: [consoleLink(field.leadsTo)] }]),
    ...(steps === null
      ? []
      : [
          { id: 'thresholds', value: { mode: 'absolute', steps } },
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
        ]),
  ];
}

/** Figures side by side: each column of the one row is one. */
export function figures(facts: PanelFacts, target: Builder<Dataquery>, fields: readonly Field[]) {
  const panel = new Stat()
    .title(facts.title)
    .description(facts.description)
    .span(facts.width ?? WIDTH)
    .height(facts.height ?? 4)
    .graphMode(common.BigValueGraphMode.None)
    .colorMode(common.BigValueColorMode.Value)
    .textMode(common.BigValueTextMode.ValueAndName)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .withTarget(target);
  for (const field of fields) panel.overrideByName(field.name, plainProperties(field));
  return panel;
}

/** A stat has no cells; what stands out is coloured by its thresholds alone. */
const plainProperties = (field: Field) =>
  propertiesOf({ warnFrom: Number.MAX_SAFE_INTEGER, ...field }).filter(
    ({ id }) => !id?.startsWith('custom.'),
  );

/** A table whose columns are all named. */
export function table(facts: PanelFacts, target: Builder<Dataquery>, fields: readonly Field[]) {
  const panel = new Table()
    .title(facts.title)
    .description(facts.description)
    .span(facts.width ?? WIDTH)
    .height(facts.height ?? 10)
    .cellHeight(TableCellHeight.Sm)
    .filterable(true)
    .withTarget(target);
  for (const field of fields) panel.overrideByName(field.name, propertiesOf(field));
  return panel;
}

interface Drawing extends PanelFacts {
  unit: string;
  decimals: number;
}

const drawing = (facts: Drawing, targets: readonly Builder<Dataquery>[]) =>
  new TimeSeries()
    .title(facts.title)
    .description(facts.description)
    .span(facts.width ?? WIDTH)
    .height(facts.height ?? 9)
    .unit(facts.unit)
    .decimals(facts.decimals)
    .min(0)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .targets([...targets]);

/** Amounts of days, one upon the other. */
export const stackedBars = (facts: Drawing, target: Builder<Dataquery>) =>
  drawing(facts, [target])
    .drawStyle(GraphDrawStyle.Bars)
    .fillOpacity(80)
    .lineWidth(0)
    .stacking(new common.StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    // One bar a day, whatever the zoom.
    .interval('1d');

/** What goes up and down with time. */
export const lines = (facts: Drawing, ...targets: Builder<Dataquery>[]) =>
  drawing(facts, targets)
    .drawStyle(GraphDrawStyle.Line)
    .lineWidth(2)
    .fillOpacity(0)
    .showPoints(VisibilityMode.Auto);
