import {
  AGAINST_LOG,
  CARDINALITY,
  chartBy,
  DELAY,
  dayAgainstWeek,
  GAPS,
  METRICS,
  type Part,
  REFUSED,
  SUMMARY,
  tableBy,
  UNTOLD,
} from './queries.ts';

const DAY_MS = 86_400_000;
const WORKSPACE = 'microsoft.operationalinsights/workspaces';

interface QueryItem {
  title: string;
  query: string;
  visualization: 'table' | 'timechart' | 'tiles';
  /** What is shown when there is no row. */
  none?: string;
  /** Shares of a whole, drawn as bars. */
  shares?: readonly string[];
  /** Looks at its own span instead of the chosen one. */
  durationMs?: number;
  width?: number;
}

/** Ids need only be different from one another, and the same each time. */
const idOf = (place: number) => `5ee0c0de-0000-4000-8000-${String(place).padStart(12, '0')}`;

const nameOf = (title: string) => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

const text = (name: string, json: string) => ({ type: 1, content: { json }, name });

function queryItem(item: QueryItem) {
  const shares = (item.shares ?? []).map((column) => ({
    columnMatch: column,
    formatter: 4,
    formatOptions: { min: 0, max: 1, palette: 'blue' },
    numberFormat: { unit: 0, options: { style: 'percent', maximumFractionDigits: 1 } },
  }));
  return {
    type: 3,
    content: {
      version: 'KqlItem/1.0',
      query: item.query,
      size: 0,
      title: item.title,
      noDataMessage: item.none ?? 'Nothing in this span.',
      ...(item.durationMs === undefined
        ? { timeContextFromParameter: 'TimeRange' }
        : { timeContext: { durationMs: item.durationMs } }),
      showExportToExcel: true,
      queryType: 0,
      resourceType: WORKSPACE,
      crossComponentResources: ['{Workspace}'],
      visualization: item.visualization,
      ...(item.visualization === 'table'
        ? { gridSettings: { filter: true, rowLimit: 1_000, formatters: shares } }
        : {}),
    },
    ...(item.width === undefined ? {} : { customWidth: String(item.width) }),
    name: nameOf(item.title),
  };
}

const parameters = () => {
  const dimension = (place: number, name: string, label: string, value: string) => ({
    id: idOf(place),
    version: 'KqlParameterItem/1.0',
    name,
    label,
    type: 1,
    isRequired: true,
    value,
  });
  return {
    type: 9,
    content: {
      version: 'KqlParameterItem/1.0',
      parameters: [
        {
          id: idOf(1),
          version: 'KqlParameterItem/1.0',
          name: 'TimeRange',
          label: 'Span',
          type: 4,
          isRequired: true,
          typeSettings: {
            selectableValues: [1, 2, 7, 14, 30].map((days) => ({ durationMs: days * DAY_MS })),
            allowCustom: true,
          },
          value: { durationMs: 7 * DAY_MS },
        },
        {
          id: idOf(2),
          version: 'KqlParameterItem/1.0',
          name: 'Workspace',
          label: 'Log Analytics workspace',
          type: 5,
          isRequired: true,
          typeSettings: {
            resourceTypeFilter: { [WORKSPACE]: true },
            additionalResourceOptions: ['value::1'],
          },
          value: 'value::1',
        },
        dimension(3, 'TenantDimension', 'Tenant is', 'tenantId'),
        dimension(4, 'UserDimension', 'User is', 'userId'),
        dimension(5, 'FeatureDimension', 'Feature is', 'featureArea'),
        dimension(6, 'ModelDimension', 'Model is', 'model'),
        { ...dimension(7, 'Namespace', 'Namespace (empty: all)', ''), isRequired: false },
      ],
      style: 'pills',
      queryType: 0,
      resourceType: WORKSPACE,
    },
    name: 'parameters',
  };
};

const partItems = (part: Part, plural: string) => [
  queryItem({ title: `Tokens by ${part}`, query: chartBy(part), visualization: 'timechart', width: 50 }),
  queryItem({
    title: `The last 24 hours of ${plural} against the week before`,
    query: dayAgainstWeek(part),
    visualization: 'table',
    durationMs: 8 * DAY_MS,
    width: 50,
  }),
  queryItem({
    title: `What ${plural} used`,
    query: tableBy(part),
    visualization: 'table',
    shares: ['share'],
  }),
];

/** The workbook as Azure Monitor keeps it (`serializedData` of `Microsoft.Insights/workbooks`). */
export function workbookText(): string {
  const items = [
    text(
      'introduction',
      `# Tokens of the gateway

What API Management wrote of its LLM calls into this workspace (\`AppMetrics\`): who used how many tokens, and what of them did not arrive. It is what Tallystick collects, before any price. Tokens are those of prompt and completion; requests are measurements of the total.`,
    ),
    parameters(),
    queryItem({ title: 'In this span', query: SUMMARY, visualization: 'table' }),
    text('by-tenant', '## By tenant'),
    ...partItems('tenant', 'tenants'),
    text('by-feature', '## By feature'),
    ...partItems('feature', 'features'),
    text('by-model', '## By model'),
    ...partItems('model', 'models'),
    text(
      'arrival',
      `## What arrives, and what does not

Metrics are best effort: every fault below looks like less usage. A call that the gateway refuses has no metric; a streamed answer has an estimate, and in the request log nothing, unless it carried its usage.`,
    ),
    queryItem({ title: 'Metrics by name', query: METRICS, visualization: 'table' }),
    queryItem({
      title: 'Hours without a row',
      query: GAPS,
      visualization: 'table',
      none: 'Every hour between the first and the last has rows.',
      width: 50,
    }),
    queryItem({
      title: 'Tokens without a dimension',
      query: UNTOLD,
      visualization: 'table',
      none: 'Every row tells tenant, user, model and feature.',
      width: 50,
    }),
    queryItem({ title: 'Seconds until rows are there', query: DELAY, visualization: 'timechart', width: 50 }),
    queryItem({
      title: 'How near to limits',
      query: CARDINALITY,
      visualization: 'table',
      shares: ['share'],
      width: 50,
    }),
    queryItem({
      title: 'Metrics against the request log',
      query: AGAINST_LOG,
      visualization: 'table',
      width: 50,
    }),
    queryItem({
      title: 'Calls that were refused or failed',
      query: REFUSED,
      visualization: 'table',
      none: 'None, or the gateway log is not in this workspace.',
      width: 50,
    }),
  ];
  return `${JSON.stringify({ version: 'Notebook/1.0', items, isLocked: false, fallbackResourceIds: ['azure monitor'] }, null, 2)}\n`;
}
