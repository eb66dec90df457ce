import { METRIC_NAMES } from '../../sandbox/traffic/row.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import type { FatedRow } from './traffic.ts';

/** Figures of one key in one hour, as at the source: prompt includes cached, completion includes reasoning. */
export interface OracleCell {
  tenantKey: string;
  subject: string;
  feature: string;
  model: string;
  deployment: string;
  hourMs: number;
  prompt: bigint;
  cached: bigint;
  completion: bigint;
  reasoning: bigint;
  total: bigint;
  requests: bigint;
}

export type Figure = 'prompt' | 'cached' | 'completion' | 'reasoning' | 'total' | 'requests';
export const FIGURES: readonly Figure[] = [
  'prompt',
  'cached',
  'completion',
  'reasoning',
  'total',
  'requests',
];

const FIGURE_OF_METRIC: Record<string, Figure> = {
  [METRIC_NAMES.prompt]: 'prompt',
  [METRIC_NAMES.cachedPrompt]: 'cached',
  [METRIC_NAMES.completion]: 'completion',
  [METRIC_NAMES.reasoning]: 'reasoning',
  [METRIC_NAMES.total]: 'total',
};

/** The store puts the time of receipt in place of an event time older than this. */
const OLDEST_EVENT_MS = 2 * DAY_MS;

/**
 * What every token must become, counted from the rows themselves and by rules written down a second time:
 * the ledger has no say in it.
 */
export class Oracle {
  readonly cells = new Map<string, OracleCell>();
  /** Prompt and completion tokens of rows that must be quarantined, by reason. */
  readonly quarantined = new Map<string, bigint>();

  constructor(rows: readonly FatedRow[]) {
    const seen = new Set<string>();
    for (const { row, quarantineReason } of rows) {
      const identity = `${row.itemId} ${row.metricName}`;
      if (seen.has(identity)) continue;
      seen.add(identity);
      const figure = FIGURE_OF_METRIC[row.metricName];
      const count =
        typeof row.sum === 'number' && Number.isSafeInteger(row.sum) && row.sum > 0 ? BigInt(row.sum) : 0n;
      if (quarantineReason !== null) {
        const counted = figure === 'prompt' || figure === 'completion' ? count : 0n;
        this.quarantined.set(quarantineReason, (this.quarantined.get(quarantineReason) ?? 0n) + counted);
        continue;
      }
      if (figure === undefined || row.eventMs === null) continue;
      const eventMs = row.ingestedMs - row.eventMs > OLDEST_EVENT_MS ? row.ingestedMs : row.eventMs;
      const cell = this.#cell(row.properties, Math.floor(eventMs / HOUR_MS) * HOUR_MS);
      cell[figure] += count;
      if (figure === 'total') cell.requests += BigInt(row.itemCount ?? 0);
    }
  }

  #cell(properties: Readonly<Record<string, string>>, hourMs: number): OracleCell {
    const { userId = '', tenantId = '', featureArea = '', model = '', deployment = '' } = properties;
    const key = cellKey({ subject: userId, feature: featureArea, model, deployment, hourMs });
    let cell = this.cells.get(key);
    if (cell === undefined) {
      cell = {
        tenantKey: tenantId,
        subject: userId,
        feature: featureArea,
        model,
        deployment,
        hourMs,
        prompt: 0n,
        cached: 0n,
        completion: 0n,
        reasoning: 0n,
        total: 0n,
        requests: 0n,
      };
      this.cells.set(key, cell);
    }
    return cell;
  }
}

export function cellKey(cell: {
  subject: string;
  feature: string;
  model: string;
  deployment: string;
  hourMs: number;
}): string {
  return JSON.stringify([cell.hourMs, cell.subject, cell.feature, cell.model, cell.deployment]);
}

/** Disjoint buckets of a cell: cached is taken out of prompt, and never exceeds it. */
export function bucketsOf(cell: Pick<OracleCell, 'prompt' | 'cached' | 'completion'>) {
  const cached = cell.cached > cell.prompt ? cell.prompt : cell.cached;
  return { prompt: cell.prompt - cached, prompt_cached: cached, completion: cell.completion };
}
