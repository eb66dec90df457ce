import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findPartFault,
  judgeMinute,
  needsSent,
  sumMinute,
  sumSent,
  type ToldFigure,
} from '../../pricing/usage/minutes.ts';
import { BUILT_IN_PROVIDERS, type CountingRule, readProviders } from '../../pricing/usage/providers.ts';
import { byFigure, type FigureName } from '../../pricing/usage/shape.ts';

function ruleOf(model: string, providers = BUILT_IN_PROVIDERS): CountingRule {
  const rule = providers.ruleOf(model);
  if (rule === null) throw new Error(`no rule for ${model}`);
  return rule;
}
const OPENAI = ruleOf('gpt-4o');
const ANTHROPIC = ruleOf('claude-sonnet-4-5');

type Told = Partial<Record<FigureName, number>>;
const rowsOf = (told: Told, rule: CountingRule): ToldFigure[] =>
  Object.entries(told).map(([figure, count]) => ({
    figure: figure as FigureName,
    tokenCount: BigInt(count),
    countsApart: rule.apart.includes(figure as FigureName),
  }));
const judge = (told: Told, rule: CountingRule, sent: Told | null = null) =>
  judgeMinute(
    {
      sent: sent === null ? null : sumSent(sumMinute(rowsOf(sent, rule)).figures, rule),
      candidates: sumMinute(rowsOf(told, rule)),
    },
    rule,
  );
const detailOf = (told: Told, rule: CountingRule, sent: Told | null = null) => {
  const verdict = judge(told, rule, sent);
  return verdict.kind === 'held' ? `${verdict.reason}: ${verdict.detail}` : 'free';
};

describe('one minute of one key', () => {
  it('waits with both sums when its prompt row is missing, and is free with it', () => {
    expect(detailOf({ completion: 20, total: 120 }, OPENAI)).toBe(
      'counts_disagree: total 120, but prompt 0 + completion 20 = 20 as openai counts',
    );
    expect(detailOf({ prompt: 100, completion: 20, total: 120 }, OPENAI)).toBe('free');
  });

  it('is contradictory for one provider and right for another: the rule says which, never the sum', () => {
    const told = { prompt: 3, cachedPrompt: 1_313, completion: 50, total: 1_366 };
    expect(detailOf(told, OPENAI)).toBe(
      'counts_disagree: total 1366, but prompt 3 + completion 50 = 53 as openai counts',
    );
    expect(detailOf(told, ANTHROPIC)).toBe('free');
    // A sum that fits the other provider's reading helps nobody.
    expect(detailOf({ prompt: 1_316, cachedPrompt: 1_313, completion: 50, total: 1_366 }, ANTHROPIC)).toBe(
      // Total says what the prompt is without the cache: the other stated sum of this provider.
      'free',
    );
    expect(detailOf({ prompt: 3, cachedPrompt: 1_313, completion: 50, total: 1_316 }, ANTHROPIC)).toBe(
      'counts_disagree: total 1316, but prompt 1316 + completion 50 = 1366 or, without the cache, 53 as anthropic counts',
    );
  });

  it('takes either stated total of Anthropic, or the one that is configured', () => {
    const all = { prompt: 3, cachedPrompt: 1_313, completion: 50, total: 1_366 };
    const uncached = { ...all, total: 53 };
    expect([detailOf(all, ANTHROPIC), detailOf(uncached, ANTHROPIC)]).toEqual(['free', 'free']);
    const pinned = (total: string) =>
      ruleOf('claude-x', readProviders({ countingRules: `anthropic=apart/${total}` }));
    expect(detailOf(all, pinned('with-cache'))).toBe('free');
    expect(detailOf(uncached, pinned('with-cache'))).toBe(
      'counts_disagree: total 53, but prompt 1316 + completion 50 = 1366 as anthropic counts',
    );
    expect(detailOf(uncached, pinned('without-cache'))).toBe('free');
    expect(detailOf(all, pinned('without-cache'))).toBe(
      'counts_disagree: total 1366, but prompt 1316 + completion 50 = 1366, without the cache 53 as anthropic counts',
    );
  });

  it('waits when a part is more than its whole', () => {
    expect(detailOf({ cachedPrompt: 5 }, OPENAI)).toBe(
      'counts_disagree: cached prompt 5 is part of prompt 0',
    );
    expect(detailOf({ cachedPrompt: 5 }, ANTHROPIC)).toBe('free');
    for (const rule of [OPENAI, ANTHROPIC]) {
      expect(detailOf({ prompt: 9, completion: 4, reasoning: 5, total: 13 }, rule)).toBe(
        'counts_disagree: reasoning 5 is part of completion 4',
      );
    }
  });

  it('has figures in three that contradict each other in every way, and each way waits', () => {
    // prompt, cached and total of a minute with 10 completion tokens: each too small or too large by one, alone and together.
    const right = { prompt: 30, cachedPrompt: 30, completion: 10, total: 40 };
    for (const prompt of [-1, 0, 1])
      for (const cachedPrompt of [-1, 0, 1])
        for (const total of [-1, 0, 1]) {
          const told = {
            prompt: right.prompt + prompt,
            cachedPrompt: right.cachedPrompt + cachedPrompt,
            completion: 10,
            total: right.total + total,
          };
          const adds = prompt === total;
          const fits = cachedPrompt <= prompt;
          expect([told, judge(told, OPENAI).kind]).toEqual([told, adds && fits ? 'free' : 'held']);
        }
  });

  it('has all parts of one whole in it together, each token once', () => {
    const told = { prompt: 100, completion: 9, total: 109 };
    expect(detailOf({ ...told, promptAudio: 60, promptImage: 41 }, OPENAI)).toBe(
      'counts_disagree: audio prompt 60 + image prompt 41 are 101, parts of prompt 100',
    );
    expect(detailOf({ ...told, cachedPrompt: 60, promptAudio: 60, cachedPromptAudio: 20 }, OPENAI)).toBe(
      'free',
    );
    expect(detailOf({ ...told, cachedPrompt: 60, promptAudio: 60, cachedPromptAudio: 19 }, OPENAI)).toBe(
      'counts_disagree: cached prompt 60 + audio prompt 60 are 101, parts of prompt 100',
    );
    for (const part of ['cachedPrompt', 'promptAudio'] as const) {
      expect(
        detailOf({ ...told, cachedPrompt: 60, promptAudio: 60, [part]: 20, cachedPromptAudio: 21 }, OPENAI),
      ).toMatch(
        `cached audio prompt 21 is part of ${part === 'cachedPrompt' ? 'cached prompt 20' : 'audio prompt 20'}`,
      );
    }
    expect(detailOf({ ...told, completionAudio: 10 }, OPENAI)).toBe(
      'counts_disagree: audio completion 10 is part of completion 9',
    );
    // Predictions and reasoning may count the same tokens as others do.
    expect(
      detailOf(
        { ...told, completionAudio: 9, reasoning: 9, acceptedPrediction: 9, rejectedPrediction: 9 },
        OPENAI,
      ),
    ).toBe('free');
    // Writes stand beside the prompt where reads do, and within it elsewhere.
    const writes = { prompt: 3, cacheWrite5m: 40, cacheWrite1h: 7, completion: 9, total: 59 };
    expect(detailOf(writes, ANTHROPIC)).toBe('free');
    expect(detailOf({ ...writes, total: 12 }, OPENAI)).toBe(
      'counts_disagree: cache write 5m 40 is part of prompt 3',
    );
  });

  it('waits when nobody told how many tokens are audio and cached, be it none', () => {
    const told = { prompt: 100, cachedPrompt: 30, promptAudio: 20, completion: 9, total: 109 };
    expect(detailOf(told, OPENAI)).toBe(
      'overlap_untold: cached prompt 30 and audio prompt 20: how many are both is not told',
    );
    expect(detailOf({ ...told, cachedPromptAudio: 0 }, OPENAI)).toBe('free');
    expect(detailOf({ ...told, promptAudio: 0 }, OPENAI)).toBe('free');
    // Told later: what was sent before it became doubtful stays, and says nothing of what comes.
    expect(detailOf({ promptAudio: 20 }, OPENAI, { ...told, promptAudio: 0 })).toMatch('overlap_untold');
    expect(detailOf({ reasoning: 1 }, OPENAI, told)).toBe('free');
  });

  it('may be accepted as it was told, unless parts have no place in their whole', () => {
    const accept = (told: Told) =>
      judgeMinute({ sent: null, candidates: sumMinute(rowsOf(told, OPENAI)), isAccepted: true }, OPENAI).kind;
    expect(accept({ completion: 20, total: 120 })).toBe('free');
    expect(accept({ prompt: 100, cachedPrompt: 30, promptAudio: 20 })).toBe('free');
    expect(accept({ prompt: 3, cachedPrompt: 1_313, completion: 50, total: 1_366 })).toBe('held');
  });

  it('needs no total, and a total of nothing is one', () => {
    expect(detailOf({ prompt: 100 }, OPENAI)).toBe('free');
    expect(detailOf({ prompt: 100, total: 0 }, OPENAI)).toBe(
      'counts_disagree: total 0, but prompt 100 + completion 0 = 100 as openai counts',
    );
    expect(detailOf({ total: 0 }, OPENAI)).toBe('free');
  });

  it('is judged with what is usage already, unless it is whole by itself', () => {
    expect(detailOf({ completion: 20, total: 120 }, OPENAI, { prompt: 100 })).toBe('free');
    expect(detailOf({ total: 120 }, OPENAI, { prompt: 100 })).toBe(
      'counts_disagree: total 120, but prompt 100 + completion 0 = 100 as openai counts',
    );
    // What was sent stays: a request that is whole is not made to wait for it.
    expect(detailOf({ prompt: 1, completion: 1, total: 2 }, OPENAI, { completion: 20, total: 120 })).toBe(
      'free',
    );
    expect(detailOf({ completion: 20 }, OPENAI, { prompt: 100, total: 100 })).toBe(
      'counts_disagree: total 100, but prompt 100 + completion 20 = 120 as openai counts',
    );
    expect(detailOf({ prompt: 100 }, OPENAI, { completion: 20, total: 120 })).toBe('free');
  });

  it('says whether what was sent must be looked at', () => {
    const needs = (told: Told) => needsSent(sumMinute(rowsOf(told, OPENAI)), OPENAI);
    expect(needs({ prompt: 1, completion: 1, total: 2 })).toBe(false);
    expect(needs({ prompt: 1, completion: 1 })).toBe(true);
    expect(needs({ prompt: 1, total: 2 })).toBe(true);
  });

  it('has no part without a place in its whole once it is free', () => {
    const figures = byFigure(() => 0n);
    expect(findPartFault({ ...figures, prompt: 3n, cachedPrompt: 4n })).toBe(
      'cached prompt 4 is part of prompt 3',
    );
    expect(findPartFault({ ...figures, prompt: 4n, cachedPrompt: 4n })).toBeNull();
  });
});

/** What a collector keeps of one minute while its rows come: what became usage, and what waits. */
function collect(slices: readonly ToldFigure[][], rule: CountingRule) {
  let sent: ToldFigure[] = [];
  let waiting: ToldFigure[] = [];
  for (const slice of slices) {
    const candidates = [...waiting, ...slice];
    const verdict = judgeMinute(
      {
        sent: sent.length === 0 ? null : sumSent(sumWithRequests(sent), rule),
        candidates: sumMinute(candidates),
      },
      rule,
    );
    if (verdict.kind === 'free') {
      sent = [...sent, ...candidates];
      waiting = [];
    } else waiting = candidates;
  }
  return { sent, waiting };
}

/** As usage events have them: each total row counts a request. */
function sumWithRequests(rows: readonly ToldFigure[]) {
  const { figures } = sumMinute(rows);
  return { ...figures, requests: BigInt(rows.filter(({ figure }) => figure === 'total').length) };
}

describe('the rows of a consistent minute', () => {
  const amount = fc.integer({ min: 0, max: 1_000 });
  const share = fc.integer({ min: 0, max: 100 });
  /** One gateway's rows: everything it counted in the minute, some figures not told at all. */
  const unit = (rule: CountingRule) =>
    fc
      .record({
        prompt: amount,
        completion: amount,
        cached: share,
        reasoning: share,
        withCache: fc.boolean(),
      })
      .map(({ prompt, completion, cached, reasoning }) => {
        const cachedPrompt = Math.floor((prompt * cached) / 100);
        const isApart = rule.apart.length > 0;
        return rowsOf(
          {
            prompt: isApart ? prompt - cachedPrompt : prompt,
            cachedPrompt,
            completion,
            reasoning: Math.floor((completion * reasoning) / 100),
            total: prompt + completion,
          },
          rule,
        );
      });

  it.each([OPENAI, ANTHROPIC])(
    'end as the same usage in whatever order and slices they come ($provider)',
    (rule) => {
      fc.assert(
        fc.property(
          fc.array(unit(rule), { minLength: 1, maxLength: 3 }).chain((units) => {
            const rows = units.flat();
            return fc.record({
              rows: fc.shuffledSubarray(rows, { minLength: rows.length, maxLength: rows.length }),
              cuts: fc.array(fc.boolean(), { minLength: rows.length, maxLength: rows.length }),
            });
          }),
          ({ rows, cuts }) => {
            const slices: ToldFigure[][] = [[]];
            rows.forEach((row, index) => {
              if (cuts[index]) slices.push([]);
              slices.at(-1)?.push(row);
            });
            const end = collect(slices, rule);
            expect(end.waiting).toEqual([]);
            expect(sumMinute(end.sent)).toEqual(sumMinute(rows));
          },
        ),
        { numRuns: 2_000 },
      );
    },
  );

  it('wait as long as one of them is missing that a total tells', () => {
    fc.assert(
      fc.property(unit(OPENAI), fc.constantFrom('prompt', 'completion'), (rows, missing) => {
        const lost = rows.find(({ figure }) => figure === missing)?.tokenCount ?? 0n;
        fc.pre(lost > 0n);
        const rest = rows.filter(({ figure }) => figure !== missing);
        expect(judgeMinute({ sent: null, candidates: sumMinute(rest) }, OPENAI).kind).toBe('held');
      }),
    );
  });
});
