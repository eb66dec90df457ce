import type { Random } from '../random.ts';
import { drawBetween, drawIndex } from './draws.ts';
import type { FeatureProfile } from './features.ts';
import type { Caller } from './stories.ts';

/** Consecutive minutes in which one caller uses one feature. */
export interface Session {
  profile: FeatureProfile;
  /** Minutes after midnight UTC. */
  startMinute: number;
  minuteCount: number;
  /** Bounds of the calls made in each minute. */
  minimumCalls: number;
  maximumCalls: number;
}

/** How likely a session is to fall into each hour of the UTC day: business hours, with a lunch dip. */
const HOUR_WEIGHTS = [1, 1, 1, 1, 1, 2, 6, 20, 60, 90, 100, 90, 55, 80, 95, 90, 70, 40, 18, 10, 7, 5, 3, 2];

/** The sessions of one caller on one day, in no particular order. */
export function drawSessions(caller: Caller, dayIndex: number, weekend: boolean, random: Random): Session[] {
  if (caller.loopDayIndex === dayIndex) return [loopAroundTheClock(caller)];
  const hourCount = drawIndex(random, weekend ? caller.weekendHourWeights : caller.weekdayHourWeights);
  const hours = new Set<number>();
  for (let draw = 0; draw < hourCount; draw += 1) hours.add(drawIndex(random, HOUR_WEIGHTS));
  const sessions: Session[] = [];
  for (const hour of hours) {
    const chosen =
      caller.features[
        drawIndex(
          random,
          caller.features.map(({ weight }) => weight),
        )
      ];
    if (chosen === undefined) continue;
    const minuteCount = drawBetween(random, 4, 9);
    sessions.push({
      profile: chosen.profile,
      startMinute: hour * 60 + drawBetween(random, 0, 60 - minuteCount),
      minuteCount,
      minimumCalls: 1,
      maximumCalls: 4,
    });
  }
  return sessions;
}

/** The story of the integration that repeats itself: the same few calls in every minute of the day. */
function loopAroundTheClock(caller: Caller): Session {
  const profile = caller.features[0]?.profile;
  if (profile === undefined) throw new RangeError(`caller ${caller.subject} has no feature`);
  return { profile, startMinute: 0, minuteCount: 1440, minimumCalls: 3, maximumCalls: 5 };
}
