import { describe, expect, it } from 'vitest';
import { divideHour } from '../../jobs/aggregate/divide-hours.ts';

describe('dividing an hour', () => {
  const part = (partStartMinute: number, partEndMinute: number, isTaken = false) => ({
    partStartMinute,
    partEndMinute,
    isTaken,
  });
  it.each([
    ['without a boundary is the whole of it', [], [], [[0, 60]]],
    [
      'cuts at every boundary, in order and once',
      [45, 10, 45],
      [],
      [
        [0, 10],
        [10, 45],
        [45, 60],
      ],
    ],
    [
      'keeps cuts it has',
      [],
      [part(0, 30, true), part(30, 60)],
      [
        [0, 30],
        [30, 60],
      ],
    ],
    ['never cuts what was taken', [20], [part(0, 60, true)], [[0, 60]]],
    [
      'cuts beside what was taken',
      [20, 40],
      [part(0, 30, true)],
      [
        [0, 30],
        [30, 40],
        [40, 60],
      ],
    ],
  ])('%s', (_, boundaries, known, expected) => {
    expect(divideHour(boundaries, known).map((row) => [row.partStartMinute, row.partEndMinute])).toEqual(
      expected,
    );
  });
});
