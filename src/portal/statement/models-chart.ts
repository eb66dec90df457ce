import type { Chart } from '../../pages/charts/figure.ts';
import { modelInWords } from '../../pages/words.ts';
import type { PortalWords } from '../words/english.ts';

/** As many models have a colour of their own in a drawing. */
const MOST_MODELS = 7;

/** One place of the axis: a day, an hour. */
export interface ChartPlace {
  place: string;
  models: readonly { value: string; size: bigint }[];
}

/** Sizes over time, stacked by model, the largest first; null: there is nothing to draw. */
export function modelsChart(
  places: readonly ChartPlace[],
  drawn: {
    say: (size: bigint) => string;
    /** Good for drawing. */
    numberOf: (size: bigint) => number;
    describe: (total: string, busiestPlace: string) => string;
    texts: PortalWords;
  } & Pick<Chart, 'id' | 'title' | 'scaleText'> & { words: NonNullable<Chart['words']> },
): Chart | null {
  const { say, numberOf, describe, texts, words, ...chart } = drawn;
  const totals = new Map<string, bigint>();
  for (const { models } of places)
    for (const { value, size } of models) totals.set(value, (totals.get(value) ?? 0n) + size);
  const ranked = [...totals]
    .filter(([, size]) => size > 0n)
    .sort(([one, left], [other, right]) => (left === right ? (one < other ? -1 : 1) : left > right ? -1 : 1))
    .map(([model]) => model);
  if (ranked.length === 0) return null;
  const isFolded = ranked.length > MOST_MODELS + 1;
  const shown = isFolded ? ranked.slice(0, MOST_MODELS) : ranked;
  const sums = places.map(({ models }) => models.reduce((sum, { size }) => sum + size, 0n));
  const busiest = sums.reduce((best, sum, index) => (sum > (sums[best] ?? 0n) ? index : best), 0);
  const valuesOf = (isMine: (model: string) => boolean) =>
    places.map(({ models }) => {
      const size = models.reduce((sum, row) => (isMine(row.value) ? sum + row.size : sum), 0n);
      return { value: numberOf(size), text: say(size) };
    });
  const total = say(sums.reduce((sum, one) => sum + one, 0n));
  const others = isFolded
    ? [{ name: texts.days.otherModels, values: valuesOf((one) => !shown.includes(one)), isRest: true }]
    : [];
  return {
    ...chart,
    words,
    description: describe(total, words.placeLong(places[busiest]?.place ?? '')),
    places: places.map(({ place }) => place),
    series: [
      ...shown.map((model) => ({
        name: model === '' ? texts.noModel : modelInWords(model),
        values: valuesOf((one) => one === model),
      })),
      ...others,
    ],
  };
}
