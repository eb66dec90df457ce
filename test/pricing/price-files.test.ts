import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { planPriceChange } from '../../pricing/prices/change.ts';
import { parsePriceCsv, priceTable } from '../../pricing/prices/csv.ts';
import { changeOfFile, type PriceFile, problemsOfFile } from '../../pricing/prices/file.ts';
import {
  completeDeploymentRule,
  completePriceRow,
  DEPLOYMENT_TYPES,
  type PriceBookData,
  type PriceRow,
  SERVICE_TIERS,
} from '../../pricing/prices/rows.ts';
import { formatPriceYaml, parsePriceYaml } from '../../pricing/prices/yaml.ts';
import { toCsv } from '../../src/platform/csv.ts';

const { data } = azureOpenAiPriceBook;

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\0'));
const trickyText = fc.oneof(
  text,
  fc.constantFrom(
    '=1+1',
    "'=x",
    "''@x",
    '＝1+1',
    'x; -10, =2\t@y',
    ' -5',
    '#c',
    'null',
    '2.50',
    'true',
    '- a',
    'a: b',
    '"',
    '\r\n',
    ' x ',
  ),
);
const instant = fc
  .integer({ min: 0, max: 4_000_000_000 })
  .map((seconds) => new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z'));
const csvForm = fc.record({
  separator: fc.constantFrom('comma' as const, 'semicolon' as const, 'tab' as const),
  hasByteOrderMark: fc.boolean(),
});
const priceRow: fc.Arbitrary<PriceRow> = fc.record({
  model: fc.constantFrom('gpt-4o', 'o3', 'a b'),
  deploymentType: fc.constantFrom(...DEPLOYMENT_TYPES),
  region: fc.constantFrom('*', 'eu', 'swedencentral'),
  tokenType: fc.constantFrom('prompt' as const, 'prompt_audio' as const),
  variant: fc.constantFrom('', '1024x1024 high'),
  serviceTier: fc.constantFrom(...SERVICE_TIERS),
  aboveInputTokenCount: fc.constantFrom(0, 200_000, 272_000),
  currency: fc.constant('usd'),
  amount: fc.oneof(fc.constant('retired'), fc.bigInt(1n, 10n ** 15n).map(String), fc.constant('0.000125')),
  unit: fc.constantFrom('token' as const, 'million_tokens' as const),
  effectiveFrom: fc.option(instant),
  source: fc.constantFrom('manual', 'list-2025-09-05'),
  sourceKey: trickyText,
  listedAt: fc.constantFrom('', '2025-09-05'),
  note: trickyText,
  confirmed: fc.boolean(),
  allowAbsurd: trickyText,
  allowGap: trickyText,
});

describe('a price file that was exported', () => {
  it('reads back as the very same rows, as CSV', () => {
    expect(parsePriceCsv(toCsv(priceTable(data.prices)))).toMatchObject({ rows: data.prices, problems: [] });
    fc.assert(
      fc.property(fc.array(priceRow, { maxLength: 6 }), csvForm, (rows, form) => {
        expect(parsePriceCsv(toCsv(priceTable(rows), form))).toMatchObject({ rows, problems: [] });
      }),
    );
  });

  it('is read as spreadsheets save it: semicolons or tabs, a byte order mark, empty rows, exponents', () => {
    const rows = (separator: string) =>
      [
        ['Model', 'tokenType', 'amount', 'unit'],
        ['', '', '', ''],
        ['gpt-4o', 'prompt', '5.0e-6', 'token'],
        [''],
        ['gpt-4o', '"completion"', '1.25E1', 'million_tokens'],
        ['', '', '', ''],
      ].map((cells) => cells.join(separator).replace('Model', 'model'));
    for (const separator of [',', ';', '\t']) {
      const file = parsePriceCsv(`\uFEFF\r\n${rows(separator).join('\r\n')}`);
      expect(file.problems).toEqual([]);
      expect(file.rows.map(({ amount, tokenType }) => [tokenType, amount])).toEqual([
        ['prompt', '0.0000050'],
        ['completion', '12.5'],
      ]);
    }
  });

  it('may hold a price of zero where that is meant', () => {
    const file = parsePriceCsv(
      [
        'model,tokenType,amount,effectiveFrom,allowAbsurd',
        'text-embedding-3-small,completion,0,2027-01-01,',
        'gpt-4o,prompt,0,2027-01-01,free for a month',
        'gpt-4o,prompt,0.0,2027-02-01,',
        'gpt-4o,completion,"2,50",2027-02-01,',
      ].join('\n'),
    );
    const plan = planPriceChange(data, changeOfFile(file, { supersede: false, addModels: true }));
    expect(problemsOfFile(file, plan).map(({ line, message }) => `${line} ${message}`)).toEqual([
      expect.stringMatching(/^4 .*is zero; .*say in allowAbsurd why it is free$/),
      expect.stringMatching(/^5 .*has a comma; write 2\.50 with a point/),
    ]);
  });

  it('reads back as the very same book, as YAML', () => {
    const rule = completeDeploymentRule({
      deployment: 'chat-*',
      model: 'gpt-4o',
      region: 'eu',
      note: 'a: #b',
    });
    const book = { ...data, deployments: [rule] };
    expect(parsePriceYaml(formatPriceYaml(book))).toMatchObject({
      rows: data.prices,
      models: data.models,
      sources: data.sources,
      deployments: [rule],
      problems: [],
    });
    fc.assert(
      fc.property(fc.array(priceRow, { maxLength: 6 }), (prices) => {
        const read = parsePriceYaml(formatPriceYaml({ ...data, prices }));
        expect(read).toMatchObject({ rows: prices, problems: [] });
      }),
    );
  });

  it('changes nothing when it is imported where it came from', () => {
    for (const file of [
      parsePriceCsv(toCsv(priceTable(data.prices))),
      parsePriceYaml(formatPriceYaml(data)),
    ]) {
      const plan = planPriceChange(data, changeOfFile(file, { supersede: false }));
      expect(problemsOfFile(file, plan)).toEqual([]);
      expect(plan.added).toEqual({ sources: {}, models: [], deployments: [], prices: [] });
      expect(plan.unchangedCount).toBe(data.prices.length);
    }
  });
});

describe('a price file from before usage had audio', () => {
  it('is read under the names of today', () => {
    const lines = ['audio_prompt,40', 'audio_prompt_cached,20', 'audio_completion,80'];
    const file = parsePriceCsv(['model,tokenType,amount', ...lines.map((line) => `m,${line}`)].join('\n'));
    expect(file.rows.map(({ tokenType }) => tokenType)).toEqual([
      'prompt_audio',
      'prompt_cached_audio',
      'completion_audio',
    ]);
    const former = formatPriceYaml(data).replaceAll('tokenType: prompt_audio', 'tokenType: audio_prompt');
    expect(parsePriceYaml(former)).toMatchObject({ rows: data.prices, problems: [] });
  });
});

/** `line field` of every problem of a file against the shipped book. */
function problems(file: PriceFile, book: PriceBookData = data): string[] {
  const plan = planPriceChange(book, changeOfFile(file, { supersede: false }));
  return problemsOfFile(file, plan).map(({ line, field }) => `${line} ${field}`);
}

describe('a price file with bad lines', () => {
  it('has all of them told by line, in CSV', () => {
    const file = parsePriceCsv(
      [
        'model,tokenType,amount,effectiveFrom,unit,currency,confirmed',
        'gpt-4o,prompt,2.40,2027-01-01,million_tokens,usd,', // 2: sound
        'gpt4o,prompt,2.40,2027-01-01,million_tokens,usd,',
        'gpt-4o,prompt,0,2027-02-01,million_tokens,usd,',
        'gpt-4o,prompt,-1,2027-03-01,million_tokens,usd,',
        'gpt-4o,prompt,1e-6,2027-04-01,million_tokens,usd,',
        'gpt-4o,prompt,0.0000001,2027-05-01,million_tokens,usd,',
        'gpt-4o,prompt,500,2027-06-01,million_tokens,usd,',
        'gpt-4o,prompt,2.40,2027-02-30,million_tokens,usd,',
        'gpt-4o,promt,2.40,2027-01-01,million_tokens,usd,',
        'gpt-4o,prompt,2.40,2027-07-01,mile,usd,',
        'gpt-4o,prompt,2.40,2027-08-01,million_tokens,eur,',
        'gpt-4o,prompt,2.40,2027-09-01,million_tokens,usd,maybe',
        'gpt-4o,prompt,2.40',
        'gpt-4o,prompt,"2"40,2027-10-01,million_tokens,usd,',
        '',
        'gpt-4o,prompt,2.10,2027-01-01,million_tokens,usd,', // 17: line 2 again
        'gpt-4o,prompt,9.99,,million_tokens,usd,', // 18: the book holds 2.50 since ever
        'gpt-4o,,2.40,,million_tokens,usd,',
      ].join('\n'),
    );
    expect(problems(file)).toEqual([
      '3 model',
      '4 amount',
      '5 amount',
      '6 amount',
      '7 amount',
      '8 amount',
      '9 effectiveFrom',
      '10 tokenType',
      '11 unit',
      '12 currency',
      '13 confirmed',
      '14 line',
      '15 line',
      '17 effectiveFrom',
      '18 effectiveFrom',
      '19 tokenType',
    ]);
  });

  it('has all of them told by line, in YAML', () => {
    const file = parsePriceYaml(`currency: usd
prices:
  - {model: gpt-4o, tokenType: prompt, amount: 2.40, effectiveFrom: 2027-01-01}
  - {model: gpt4o, tokenType: prompt, amount: 2.40}
  - model: gpt-4o
    tokenType: prompt
    amount: 0.00
    effectiveFrom: 2027-02-01
  - [gpt-4o]
  - {model: gpt-4o, tokenType: prompt, amount: 1, colour: red}
deployments:
  - {deployment: chat}
  - {deployment: chat-2, model: gpt-4o, retired: true}
  - {deployment: '*', model: gpt-4o}
`);
    expect(problems(file)).toEqual([
      '4 model',
      '5 amount',
      '9 prices',
      '10 colour',
      '12 model',
      '13 model',
      '14 deployment',
    ]);
  });

  it.each([
    ['no YAML', '{a: [', ['1 line', '1 line', '1 a']],
    ['another thing', 'hello', ['1 file']],
    ['nothing', '', ['1 file']],
    ['an alias', 'a: &x 1\nprices:\n  - {model: *x, tokenType: prompt, amount: 1}', ['1 a', '3 prices']],
    [
      'the currency of all rows',
      'currency: eur\nprices:\n  - {model: o3, tokenType: prompt, amount: 1, effectiveFrom: 2027-01-01}',
      ['3 currency'],
    ],
  ])('refuses %s', (_, yaml, expected) => {
    const found = problems(parsePriceYaml(yaml));
    expect(found.length).toBeGreaterThan(0);
    expect(found.at(-1)).toBe(expected.at(-1));
  });

  it('refuses a CSV without the columns that say what it is, or with unknown ones', () => {
    expect(problems(parsePriceCsv(''))).toEqual(['1 model', '1 tokenType', '1 amount']);
    expect(problems(parsePriceCsv('model,tokenType,amount,model,colour\n'))).toEqual(['1 model', '1 colour']);
  });

  it('is quick with a file of nothing but broken quotes', () => {
    const file = parsePriceCsv(`model,tokenType,amount\n${'a"b,"c\n'.repeat(30_000)}`);
    expect(file.problems.length).toBe(101);
  });
});

describe('what a change may not do', () => {
  const row = completePriceRow({ model: 'o3', tokenType: 'prompt', amount: '2.00' });
  const plan = (rows: PriceRow[], supersede = false) => planPriceChange(data, { rows, supersede });
  const said = (rows: PriceRow[], supersede = false) =>
    plan(rows, supersede).problems.map(
      ({ field, message }) => `${field} ${message.split(/[ :]/).slice(0, 2).join(' ')}`,
    );

  it('step by more than a hundred times, or below a hundredth, without a reason', () => {
    const later = { ...row, effectiveFrom: '2027-01-01T00:00:00Z' };
    expect(said([{ ...later, amount: '200.00' }])).toEqual([]);
    expect(said([{ ...later, amount: '200.000001' }])).toEqual(['amount is absurd']);
    expect(said([{ ...later, amount: '0.02' }])).toEqual([]);
    expect(said([{ ...later, amount: '0.019999' }])).toEqual(['amount is absurd']);
    expect(said([{ ...later, amount: '2.00', unit: 'thousand_tokens' }])).toEqual(['amount is absurd']);
    expect(said([{ ...later, amount: '500', allowAbsurd: 'they really do' }])).toEqual([]);
    expect(said([{ ...row, amount: '500' }], true)).toEqual(['amount is absurd']);
  });

  it('leave a gap without a reason, or end what has no price', () => {
    const end = { ...row, amount: 'retired', effectiveFrom: '2027-01-01T00:00:00Z' };
    const again = { ...row, effectiveFrom: '2027-02-01T00:00:00Z' };
    expect(said([end])).toEqual([]);
    expect(said([end, again])).toEqual(['effectiveFrom leaves a']);
    expect(said([end, { ...again, allowGap: 'withdrawn for a month' }])).toEqual([]);
    expect(said([end, { ...end, effectiveFrom: '2027-03-01T00:00:00Z' }])).toEqual(['amount ends a']);
    expect(said([{ ...end, region: 'swedencentral' }])).toEqual(['amount ends a']);
  });

  it('make a slip of the pen a new model, or price another name of one', () => {
    expect(plan([{ ...row, model: 'o33' }]).problems[0]?.fix).toContain('o3');
    expect(said([{ ...row, model: 'o3-2025-04-16' }])).toEqual(['model is another']);
    const added = planPriceChange(data, {
      rows: [{ ...row, model: 'o9' }],
      supersede: false,
      addModels: true,
    });
    expect([added.problems, added.added.models]).toEqual([[], [{ model: 'o9', aliases: [] }]]);
  });

  it('overwrite what is held unless it says so', () => {
    expect(said([{ ...row, amount: '2.20' }])).toEqual(['effectiveFrom overlaps ']);
    const corrected = plan([{ ...row, amount: '2.20' }], true);
    expect(corrected.problems).toEqual([]);
    expect(corrected.superseded.rows).toMatchObject([{ model: 'o3', amount: '2.00' }]);
    expect(plan(data.prices.slice(0, 3)).unchangedCount).toBe(3);
  });
});
