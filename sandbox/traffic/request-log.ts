import type { Scenario } from '../scenario.ts';
import { playDay } from './day.ts';
import type { GatewayLogRow, LlmLogRow, RequestLog } from './log-row.ts';
import { MAXIMUM_LOG_DELAY_MS } from './requests.ts';
import { type Caller, createCallers } from './stories.ts';

const DAY_MS = 86_400_000;
/** A query's event times span five days around its window; one more makes the next window cheap. */
const DAYS_KEPT = 7;

interface DayLog {
  llm: LlmLogRow[];
  gateway: GatewayLogRow[];
}

/** Creates the request-level logs of a scenario. Days are played when first asked for, and a few are kept. */
export function createRequestLog(scenario: Scenario): RequestLog {
  return new SeededRequestLog(scenario);
}

class SeededRequestLog implements RequestLog {
  readonly #scenario: Scenario;
  readonly #callers: Caller[];
  readonly #days = new Map<number, DayLog>();
  readonly #injected: DayLog = { llm: [], gateway: [] };
  #totals: Map<string, bigint> | null = null;
  #lastIngestionMs: number | null = null;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#callers = createCallers(scenario);
  }

  llmRowsIngestedBetween(startMs: number, endMs: number): LlmLogRow[] {
    return this.#ingestedBetween(startMs, endMs, (day) => day.llm);
  }

  gatewayRowsIngestedBetween(startMs: number, endMs: number): GatewayLogRow[] {
    return this.#ingestedBetween(startMs, endMs, (day) => day.gateway);
  }

  tokenTotalByTenant(): Map<string, bigint> {
    this.#totals ??= this.#countRequests();
    const totals = new Map(this.#totals);
    const tenants = new Map<string, string>();
    for (const row of this.#injected.gateway) tenants.set(row.correlationId, tenantOf(row));
    for (const [correlationId, tokens] of largestRows(this.#injected.llm)) {
      add(totals, tenants.get(correlationId) ?? '', BigInt(tokens));
    }
    return totals;
  }

  get lastIngestionMs(): number {
    this.#lastIngestionMs ??= this.#findLastIngestion();
    const { llm, gateway } = this.#injected;
    return [...llm, ...gateway].reduce((last, row) => Math.max(last, row.ingestedMs), this.#lastIngestionMs);
  }

  inject(rows: { llm?: LlmLogRow[]; gateway?: GatewayLogRow[] }): void {
    this.#injected.llm.push(...(rows.llm ?? []));
    this.#injected.gateway.push(...(rows.gateway ?? []));
  }

  #ingestedBetween<Row extends { ingestedMs: number }>(
    startMs: number,
    endMs: number,
    table: (day: DayLog) => Row[],
  ): Row[] {
    const { startMs: originMs, dayCount } = this.#scenario.options;
    const firstDay = Math.max(0, Math.floor((startMs - MAXIMUM_LOG_DELAY_MS - originMs) / DAY_MS));
    const lastDay = Math.min(dayCount - 1, Math.floor((endMs - 1 - originMs) / DAY_MS));
    const rows: Row[] = [];
    const take = (day: DayLog) => {
      for (const row of table(day)) if (row.ingestedMs >= startMs && row.ingestedMs < endMs) rows.push(row);
    };
    for (let dayIndex = firstDay; dayIndex <= lastDay; dayIndex += 1) take(this.#day(dayIndex));
    take(this.#injected);
    return rows;
  }

  #day(dayIndex: number): DayLog {
    const day = this.#days.get(dayIndex) ?? this.#play(dayIndex);
    this.#days.delete(dayIndex);
    this.#days.set(dayIndex, day);
    for (const oldest of this.#days.keys()) {
      if (this.#days.size <= DAYS_KEPT) break;
      this.#days.delete(oldest);
    }
    return day;
  }

  #play(dayIndex: number): DayLog {
    const day: DayLog = { llm: [], gateway: [] };
    playDay({
      scenario: this.#scenario,
      callers: this.#callers,
      dayIndex,
      rowMultiplier: 1,
      requests: { llm: (row) => day.llm.push(row), gateway: (row) => day.gateway.push(row) },
    });
    return day;
  }

  /** Counts the requests as they are made, each once, and keeps nothing but the sums. */
  #countRequests(): Map<string, bigint> {
    const totals = new Map<string, bigint>();
    for (let dayIndex = 0; dayIndex < this.#scenario.options.dayCount; dayIndex += 1) {
      playDay({
        scenario: this.#scenario,
        callers: this.#callers,
        dayIndex,
        rowMultiplier: 1,
        requests: {
          llm: () => {},
          gateway: () => {},
          counted: (tenantKey, tokens) => add(totals, tenantKey, BigInt(tokens)),
        },
      });
    }
    return totals;
  }

  #findLastIngestion(): number {
    const { startMs, dayCount } = this.#scenario.options;
    let last = startMs;
    for (let dayIndex = dayCount - 1; dayIndex >= 0; dayIndex -= 1) {
      if (startMs + (dayIndex + 1) * DAY_MS + MAXIMUM_LOG_DELAY_MS <= last) break;
      const day = this.#day(dayIndex);
      for (const row of [...day.llm, ...day.gateway]) last = Math.max(last, row.ingestedMs);
    }
    return last;
  }
}

function add(totals: Map<string, bigint>, tenantKey: string, tokens: bigint): void {
  totals.set(tenantKey, (totals.get(tenantKey) ?? 0n) + tokens);
}

function tenantOf(row: GatewayLogRow): string {
  return row.traceRecords.find((record) => record.source === 'tallystick')?.metadata.tenantId ?? '';
}

/** Prompt and completion of each request: of each count its largest value, whole and not negative. */
function largestRows(rows: readonly LlmLogRow[]): Map<string, number> {
  const largest = new Map<string, { prompt: number; completion: number }>();
  const sound = (count: number | null) =>
    Number.isSafeInteger(count) && Number(count) > 0 ? Number(count) : 0;
  for (const row of rows) {
    const known = largest.get(row.correlationId) ?? { prompt: 0, completion: 0 };
    largest.set(row.correlationId, {
      prompt: Math.max(known.prompt, sound(row.promptTokens)),
      completion: Math.max(known.completion, sound(row.completionTokens)),
    });
  }
  return new Map(Array.from(largest, ([id, counts]) => [id, counts.prompt + counts.completion]));
}
