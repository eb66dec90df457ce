import { createRandom, deriveSeed } from '../../sandbox/random.ts';

/** Days before the period, and its own. */
export const HISTORY_DAYS = 70;
const PERIOD_DAYS = 30;
const LINE_COUNT = 3;
/** Of the days of a week. */
const WEEK = [1, 1.1, 1.05, 1, 0.9, 0.3, 0.2];
/** Tokens of a usual day. */
const USUAL = 200_000;

/** A way in which usage comes about, made of sums and products alone, so that it is the same on every machine. */
export interface World {
  name: string;
  /** Not judged, only printed: what changes from one day to the next. */
  isJudged: boolean;
  /** Tokens of each day of each line, the history's and then the period's. @param atDay of the period, when it is judged */
  play(seed: number, atDay: number): number[][];
}

interface Chance {
  /** Between 0 and 1. */
  share(): number;
  /** Of mean 0 and variance 1, near enough to normal. */
  normal(): number;
}

/** What a line holds of a usual day, by day from the history's first; it is asked for each day once and in order. */
type Course = (day: number) => number;
type CourseMaker = (chance: Chance, line: number, atDay: number) => Course;

export const WORLDS: readonly World[] = [
  judged('stationary', () => () => 1),
  judged('bursty: bursts of days', ({ share }) => {
    let isBurst = false;
    return () => {
      isBurst = isBurst ? share() < 0.5 : share() < 0.06;
      return isBurst ? 6 : 1;
    };
  }),
  judged(
    'bursty: single days',
    ({ share }) =>
      () =>
        share() < 0.08 ? 6 : 1,
  ),
  judged('days alike', ({ normal }) => {
    let state = 0;
    return () => {
      state = 0.5 * state + 0.25 * normal();
      return exponential(state);
    };
  }),
  { name: 'one day in ten', isJudged: true, play: (seed) => playLines(seed, 'one day in ten', oneInTen) },
  judged('growing 1 % a day', () => (day) => exponential(0.01 * day)),
  judged('growing 2 % a day', () => (day) => exponential(0.02 * day)),
  judged('falling 1 % a day', () => (day) => exponential(-0.01 * day)),
  judged('falling 2 % a day', () => (day) => exponential(-0.02 * day)),
  judged('one of the lines began 14 days ago', (_, line, atDay) => (day) => {
    return line > 0 || day >= HISTORY_DAYS + atDay - 14 ? 1 : 0;
  }),
  judged('a customer of six weeks', (_, _line, atDay) => (day) => (day >= HISTORY_DAYS + atDay - 42 ? 1 : 0)),
  judged('growing in a straight line', () => (day) => 1 + day / 50),
  judged('falling in a straight line', () => (day) => 1 - day / 150),
  printed('switching three times up or down', ({ share }) => {
    const [at, factor] = [20 + Math.floor(share() * 75), share() < 0.5 ? 3 : 1 / 3];
    return (day) => (day >= at ? factor : 1);
  }),
];

function judged(name: string, make: CourseMaker): World {
  return { name, isJudged: true, play: (seed, atDay) => playWeeks(seed, name, atDay, make) };
}

function printed(name: string, make: CourseMaker): World {
  return { ...judged(name, make), isJudged: false };
}

/** Weeks of lines that move together in part: half of what chance does to a day it does to all of them. */
function playWeeks(seed: number, name: string, atDay: number, make: CourseMaker): number[][] {
  const shared = chanceOf(seed, name, 'shared');
  const moved = Array.from({ length: HISTORY_DAYS + PERIOD_DAYS }, () => 0.2 * shared.normal());
  const firstWeekday = Math.floor(shared.share() * WEEK.length);
  return playLines(seed, name, (chance, line) => {
    const course = make(chance, line, atDay);
    return (day) => {
      const weekday = WEEK[(firstWeekday + day) % WEEK.length] ?? 1;
      return weekday * course(day) * exponential((moved[day] ?? 0) + 0.2 * chance.normal());
    };
  });
}

function oneInTen({ normal, share }: Chance): Course {
  return () => (share() < 0.1 ? exponential(0.5 * normal()) : 0);
}

function playLines(seed: number, name: string, make: (chance: Chance, line: number) => Course): number[][] {
  return Array.from({ length: LINE_COUNT }, (_, line) => {
    const course = make(chanceOf(seed, name, line), line);
    return Array.from({ length: HISTORY_DAYS + PERIOD_DAYS }, (_, day) => Math.round(USUAL * course(day)));
  });
}

function chanceOf(seed: number, ...parts: (string | number)[]): Chance {
  const share = createRandom(deriveSeed(seed, 'calibration', ...parts));
  const normal = () => Array.from({ length: 12 }, share).reduce((sum, value) => sum + value, -6);
  return { share, normal };
}

/** (1 + x / 1024)^1024. */
function exponential(exponent: number): number {
  let value = 1 + exponent / 1_024;
  for (let doubling = 0; doubling < 10; doubling += 1) value *= value;
  return value;
}
