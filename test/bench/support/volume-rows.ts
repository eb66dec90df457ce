import { MINUTE_MS } from '../../../src/platform/clock.ts';

/** Usage of any length at one density, made by formula: as many rows and tokens in every minute. */
const SERIES_PER_MINUTE = 50;
const USER_COUNT = 5_000;
const TENANT_COUNT = 250;
const FEATURES = ['chat', 'search', 'summaries', 'agents'];
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'o4-mini'];

const PROMPT = 1_200;
const COMPLETION = 300;
/** Name and tokens of the rows that one series has in one minute. */
const METRICS: readonly (readonly [name: string, sum: number])[] = [
  ['Prompt Tokens', PROMPT],
  ['Prompt Cached Tokens', 512],
  ['Completion Tokens', COMPLETION],
  ['Completion Reasoning Tokens', 64],
  ['Total Tokens', PROMPT + COMPLETION],
];

export const VOLUME_ROWS_PER_MINUTE = SERIES_PER_MINUTE * METRICS.length;
/** Prompt plus completion. */
export const VOLUME_TOKENS_PER_MINUTE = BigInt(SERIES_PER_MINUTE * (PROMPT + COMPLETION));

const COLUMNS = [
  ['sourceItemId', 'string'],
  ['eventTime', 'string'],
  ['ingestedAt', 'string'],
  ['metricName', 'string'],
  ['tokenSum', 'real'],
  ['measurementCount', 'int'],
  ['subject', 'string'],
  ['tenantKey', 'string'],
  ['feature', 'string'],
  ['model', 'string'],
  ['deployment', 'string'],
];

const HEAD = `{"tables":[{"name":"PrimaryResult","columns":${JSON.stringify(
  COLUMNS.map(([name, type]) => ({ name, type })),
)},"rows":[`;

/** The answer to a row query over the event times `[startMs, endMs)`, cut after `rowLimit` rows. */
export function renderVolumeAnswer(startMs: number, endMs: number, rowLimit: number): Buffer {
  const parts: string[] = [];
  let left = rowLimit;
  for (let minuteMs = Math.ceil(startMs / MINUTE_MS) * MINUTE_MS; minuteMs < endMs; minuteMs += MINUTE_MS) {
    if (left <= 0) break;
    const rows = renderMinute(minuteMs).slice(0, left);
    left -= rows.length;
    parts.push(rows.join(','));
  }
  return Buffer.from(`${HEAD}${parts.join(',')}]}]}`);
}

function renderMinute(minuteMs: number): string[] {
  const minute = minuteMs / MINUTE_MS;
  const eventTime = `${new Date(minuteMs).toISOString().slice(0, 19)}.0000000Z`;
  const ingestedAt = `${new Date(minuteMs + 3 * MINUTE_MS).toISOString().slice(0, 19)}.1234567Z`;
  const minuteHex = minute.toString(16).padStart(12, '0');
  const rows: string[] = [];
  for (let series = 0; series < SERIES_PER_MINUTE; series += 1) {
    const user = (minute * SERIES_PER_MINUTE + series) % USER_COUNT;
    const model = MODELS[user % MODELS.length];
    const dimensions =
      `"user-${user}","tenant-${user % TENANT_COUNT}","${FEATURES[user % FEATURES.length]}",` +
      `"${model}","${model}-global"`;
    const seriesHex = series.toString(16).padStart(4, '0');
    METRICS.forEach(([name, sum], metric) => {
      rows.push(
        `["00000000-${seriesHex}-4000-800${metric}-${minuteHex}","${eventTime}","${ingestedAt}","${name}",${sum},1,${dimensions}]`,
      );
    });
  }
  return rows;
}
