import { createRandom, deriveSeed } from '../random.ts';
import type { ScenarioOptions } from '../scenario.ts';
import type { Call } from './call.ts';
import { drawBetween } from './draws.ts';
import { isWeekend } from './stories.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Calls that are wanted in one minute. */
export interface WantedCalls {
  /** Start of the minute. */
  eventMs: number;
  calls: Call[];
}

/** Minutes of a day, and calls in each. */
interface Session {
  startMinute: number;
  minuteCount: number;
  callCount: number;
}

/** About 4 US dollars a day. */
const USUAL: readonly Session[] = [{ startMinute: 9 * 60, minuteCount: 6, callCount: 8 }];
/** On the last day a whole evaluation runs before breakfast, for more than a month may cost, and goes on. */
const EVALUATION: readonly Session[] = [
  { startMinute: 5 * 60, minuteCount: 22, callCount: 24 },
  { startMinute: 10 * 60, minuteCount: 3, callCount: 24 },
  { startMinute: 14 * 60, minuteCount: 6, callCount: 8 },
];

/** The calls that are wanted in `[fromMs, toMs)`, in their order; equal options want equal calls. */
export function wantedExperiments(options: ScenarioOptions, fromMs: number, toMs: number): WantedCalls[] {
  const { seed, startMs, dayCount } = options;
  const wanted: WantedCalls[] = [];
  const firstDay = Math.max(0, Math.floor((fromMs - startMs) / DAY_MS));
  for (let dayIndex = firstDay; dayIndex < dayCount; dayIndex += 1) {
    const dayMs = startMs + dayIndex * DAY_MS;
    if (dayMs >= toMs) break;
    for (const { startMinute, minuteCount, callCount } of sessionsOf(options, dayIndex)) {
      for (let minute = startMinute; minute < startMinute + minuteCount; minute += 1) {
        const eventMs = dayMs + minute * MINUTE_MS;
        if (eventMs < fromMs || eventMs >= toMs) continue;
        const random = createRandom(deriveSeed(seed, 'experiments', dayIndex, minute));
        const calls = Array.from({ length: callCount }, () => ({
          promptTokens: drawBetween(random, 2_000, 4_000),
          cachedTokens: 0,
          completionTokens: drawBetween(random, 7_000, 9_000),
          reasoningTokens: 0,
        }));
        wanted.push({ eventMs, calls });
      }
    }
  }
  return wanted;
}

function sessionsOf(options: ScenarioOptions, dayIndex: number): readonly Session[] {
  if (dayIndex === options.dayCount - 1) return EVALUATION;
  return isWeekend({ options }, dayIndex) ? [] : USUAL;
}
