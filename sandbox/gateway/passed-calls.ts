import path from 'node:path';
import { Journal } from '../journal.ts';
import type { StandInContext } from '../stand-in.ts';
import { aggregateCalls, type Call } from '../traffic/call.ts';
import { createItemId } from '../traffic/item-id.ts';
import type { Traffic, TrafficRow } from '../traffic/row.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Rows of one minute are fewer. */
const ROWS_OF_MINUTE = 16;
const PASSED_ID_SALT = 0x6a7e7a55;
/** From a minute's end to the visibility of its rows. */
const INGESTION_DELAY_MS = 2 * MINUTE_MS;

/** Calls of one caller in one minute that the gateway let through, as its metric will name them. */
export interface PassedMinute {
  eventMs: number;
  tenantKey: string;
  subject: string;
  feature: string;
  model: string;
  deployment: string;
  calls: Call[];
}

/** What the gateway said to the calls that were wanted until an instant. */
export interface GatewayTurn {
  untilMs: number;
  passed: PassedMinute[];
  stoppedCallCount: number;
}

export interface PassedTotals {
  /** Turns up to there are kept; another word on them changes nothing. */
  untilMs: number;
  passedCallCount: number;
  stoppedCallCount: number;
  /** Prompt plus completion of what passed, as decimal text. */
  tokenCount: string;
}

/** What passed the gateway, which alone becomes rows of the source. Kept, so that a killed demo does not ask again. */
export class PassedCalls {
  readonly #clock: StandInContext['clock'];
  readonly #journal: Journal<GatewayTurn & { at: number }>;
  readonly #traffic: Traffic;
  readonly #scenario: { seed: number; startMs: number };
  #untilMs = 0;
  #passedCallCount = 0;
  #stoppedCallCount = 0;
  #tokenCount = 0n;

  constructor(
    { clock, stateDirectory }: Pick<StandInContext, 'clock' | 'stateDirectory'>,
    scenario: { seed: number; startMs: number },
    traffic: Traffic,
  ) {
    this.#clock = clock;
    this.#traffic = traffic;
    this.#scenario = scenario;
    this.#journal = new Journal(
      stateDirectory === null ? null : path.join(stateDirectory, 'gateway.journal.jsonl'),
    );
    for (const turn of this.#journal.takeReplay()) this.#keep(turn);
  }

  /** Said again, a turn changes nothing. */
  record(turn: GatewayTurn): void {
    if (turn.untilMs <= this.#untilMs) return;
    this.#journal.append({ at: this.#clock.nowMs(), ...turn });
    this.#keep(turn);
  }

  totals(): PassedTotals {
    return {
      untilMs: this.#untilMs,
      passedCallCount: this.#passedCallCount,
      stoppedCallCount: this.#stoppedCallCount,
      tokenCount: String(this.#tokenCount),
    };
  }

  close(): void {
    this.#journal.close();
  }

  #keep({ untilMs, passed, stoppedCallCount }: GatewayTurn): void {
    this.#untilMs = untilMs;
    this.#stoppedCallCount += stoppedCallCount;
    for (const { calls } of passed) {
      this.#passedCallCount += calls.length;
      for (const call of calls) this.#tokenCount += BigInt(call.promptTokens + call.completionTokens);
    }
    this.#traffic.inject(passed.flatMap((minute) => this.#rowsOf(minute)));
  }

  #rowsOf({ eventMs, calls, ...caller }: PassedMinute): TrafficRow[] {
    const { seed, startMs } = this.#scenario;
    const dayIndex = Math.floor((eventMs - startMs) / DAY_MS);
    const minute = Math.floor((eventMs - startMs - dayIndex * DAY_MS) / MINUTE_MS);
    const properties = Object.freeze({
      userId: caller.subject,
      tenantId: caller.tenantKey,
      featureArea: caller.feature,
      model: caller.model,
      deployment: caller.deployment,
    });
    return aggregateCalls(calls).map((aggregate, index) => ({
      itemId: createItemId(seed ^ PASSED_ID_SALT, dayIndex, minute * ROWS_OF_MINUTE + index),
      eventMs,
      ingestedMs: eventMs + MINUTE_MS + INGESTION_DELAY_MS,
      ingestedTicks: index,
      ...aggregate,
      properties,
    }));
  }
}
