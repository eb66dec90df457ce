import { describe, expect, it } from 'vitest';
import { type Calibration, isCalibrated } from '../../pricing/previews/calibration.ts';
import { judgeWorld } from '../calibration/judge.ts';
import { WORLDS } from '../calibration/worlds.ts';

/** `npm run calibration` plays 2,000 worlds of each; so many are enough to see what is wrong by more than a little. */
const SEEDS = Array.from({ length: 400 }, (_, place) => place + 1);

describe('projections mean what they say', () => {
  it.each(WORLDS.filter(({ isJudged }) => isJudged))('$name', (world) => {
    const figures = judgeWorld(world, { seeds: SEEDS, atDay: 10 });
    expect(figures.refusedCount).toBeLessThan(SEEDS.length / 50);
    const kept = (calibration: Calibration) => ({ ...calibration, isKept: isCalibrated(calibration) });
    expect(kept(figures.lines)).toMatchObject({ isKept: true });
    expect(kept(figures.total)).toMatchObject({ isKept: true });
  });
});
