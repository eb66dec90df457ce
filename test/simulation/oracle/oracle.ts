import { METRIC_NAMES } from '../../../sandbox/traffic/row.ts';
import { HOUR_MS } from '../../../src/platform/clock.ts';
import { OLDEST_EVENT_MS } from '../traffic/row-times.ts';
import type { FatedRow } from '../traffic/traffic.ts';
import { findOutcomes, findWholeOutcome, type ToldRow } from './doubtful.ts';

/** Figures of one key in one hour: prompt includes cached, however its maker tells them, completion includes reasoning. */
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
  /** The prompt as its rows tell it: until the cached tokens within it come, all of it may be billed as prompt. */
  toldPrompt: bigint;
}

/** What may become of a minute that contradicts itself for good. */
interface DoubtfulOutcome {
  cell: OracleCell;
  /** Billable tokens that wait, and do for good. */
  heldTokenCount: bigint;
}

export type Figure = 'prompt' | 'cached' | 'completion' | 'reasoning' | 'total' | 'requests';

export function noFigures(): Record<Figure, bigint> {
  return { prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n, requests: 0n };
}
export const FIGURES: readonly Figure[] = [
  'prompt',
  'cached',
  'completion',
  'reasoning',
  'total',
  'requests',
];

const FIGURE_OF_METRIC: Record<string, ToldRow['figure']> = {
  [METRIC_NAMES.prompt]: 'prompt',
  [METRIC_NAMES.cachedPrompt]: 'cached',
  [METRIC_NAMES.completion]: 'completion',
  [METRIC_NAMES.reasoning]: 'reasoning',
  [METRIC_NAMES.total]: 'total',
};

/**
 * What every token must become, counted from the rows themselves and by rules written down a second time:
 * the ledger has no say in it.
 */
export class Oracle {
  readonly cells = new Map<string, OracleCell>();
  /** Prompt and completion tokens of rows that must be quarantined, by reason. */
  readonly quarantined = new Map<string, bigint>();
  /** Of the cells that are one minute which contradicts itself: `cells` has the most that may be usage of them. */
  readonly doubtful = new Map<string, readonly DoubtfulOutcome[]>();
  /** All billable tokens of those minutes. */
  doubtfulTokenCount = 0n;

  constructor(rows: readonly FatedRow[]) {
    const seen = new Set<string>();
    const doubtful = new Map<OracleCell, { doubt: NonNullable<FatedRow['doubt']>; told: CountedRow[] }>();
    for (const { row, quarantineReason, toldApart, doubt } of rows) {
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
      const requests = BigInt(row.itemCount ?? 0);
      const counted = { figure, count, requests, ...(toldApart === undefined ? {} : { toldApart }) };
      if (doubt === undefined) addRow(cell, counted);
      else doubtful.set(cell, { doubt, told: [...(doubtful.get(cell)?.told ?? []), counted] });
    }
    for (const [cell, { doubt, told }] of doubtful)
      this.#doubt(cell, told, doubt === 'told whole' ? findWholeOutcome(told) : findOutcomes(told));
  }

  #doubt(cell: OracleCell, told: readonly CountedRow[], usages: readonly CountedRow[][]): void {
    const tokenCount = billableTokens(told);
    const outcomes = usages.map((usage) => {
      const outcome = { cell: { ...cell }, heldTokenCount: tokenCount - billableTokens(usage) };
      for (const row of usage) addRow(outcome.cell, row);
      return outcome;
    });
    this.doubtful.set(cellKey(cell), outcomes);
    this.doubtfulTokenCount += tokenCount;
    for (const figure of [...FIGURES, 'toldPrompt'] as const) {
      for (const outcome of outcomes)
        if (outcome.cell[figure] > cell[figure]) cell[figure] = outcome.cell[figure];
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
        ...noFigures(),
        toldPrompt: 0n,
      };
      this.cells.set(key, cell);
    }
    return cell;
  }
}

interface CountedRow extends ToldRow {
  requests: bigint;
}

function addRow(cell: OracleCell, { figure, count, requests, toldApart }: CountedRow): void {
  cell[figure] += count;
  if (figure === 'prompt') cell.toldPrompt += count;
  if (figure === 'cached' && toldApart !== undefined) cell.prompt += count;
  if (figure === 'total') cell.requests += requests;
}

function billableTokens(rows: readonly CountedRow[]): bigint {
  return rows.reduce((sum, { figure, count, toldApart }) => {
    const isBillable =
      figure === 'prompt' || figure === 'completion' || (figure === 'cached' && toldApart !== undefined);
    return isBillable ? sum + count : sum;
  }, 0n);
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

/** Disjoint buckets of a cell: cached is taken out of prompt, and nothing is cut to fit. */
export function bucketsOf(cell: Pick<OracleCell, 'prompt' | 'cached' | 'completion'>) {
  return { prompt: cell.prompt - cell.cached, prompt_cached: cell.cached, completion: cell.completion };
}
