import { describe, expect, it } from 'vitest';
import { type ImportOptions, readImport } from '../../pricing/feeds/import.ts';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { planPriceChange } from '../../pricing/prices/change.ts';
import { changeOfFile, problemsOfFile } from '../../pricing/prices/file.ts';
import { createMeterMap, readMeterFile } from '../../pricing/retail/meter-map.ts';
import { parseExactJson } from '../../src/azure/exact-json.ts';

const book = azureOpenAiPriceBook;
const [PROMPT, COMPLETION, EMBEDDING, UNNAMED] = ['1', '2', '3', '9'].map(
  (digit) => `00000000-0000-4000-8000-00000000000${digit}`,
) as [string, string, string, string];
const meters = createMeterMap(
  readMeterFile({
    meters: [
      { meterId: PROMPT, model: 'gpt-4o', deploymentType: 'global', tokenType: 'prompt' },
      { meterId: COMPLETION, model: 'gpt-4o', deploymentType: 'global', tokenType: 'completion' },
      {
        meterId: EMBEDDING,
        model: 'text-embedding-3-large',
        deploymentType: 'global',
        tokenType: 'embedding',
      },
    ],
  }),
);
const OPTIONS: ImportOptions = {
  from: null,
  listedAt: '',
  meters,
  parseJson: parseExactJson,
  now: new Date('2026-12-01T00:00:00Z'),
};

/** What a file becomes, and everything that is wrong with it, as `line field message`. */
function read(text: string, options: Partial<ImportOptions> = {}) {
  const { file, format, heldCount } = readImport(text, book, { ...OPTIONS, ...options });
  const plan = planPriceChange(book.data, changeOfFile(file, { supersede: true, addModels: true }));
  return {
    format,
    heldCount,
    rows: file.rows.map(
      ({ model, deploymentType, region, tokenType, amount, unit, effectiveFrom }) =>
        `${model} ${deploymentType} ${region} ${tokenType} ${amount} ${unit} ${effectiveFrom ?? 'ever'}`,
    ),
    problems: problemsOfFile(file, plan).map(({ line, field, message }) => `${line} ${field} ${message}`),
    notTaken: file.notTaken,
    fixes: file.problems.map(({ fix }) => fix ?? ''),
  };
}

const DICTIONARY = `PRICING = {
    "gpt-4o": {"prompt": 5.0e-6, "completion": 15.0e-6},
    "gpt-4o-mini": {"prompt": 0.15e-6, "completion": 0.60e-6},
    "text-embedding-3-large": {"prompt": 0.13e-6, "completion": 0},
    "gpt-4-turbo": {"prompt": 10.0e-6, "completion": 30.0e-6},
}
`;

describe('a table of prices by model', () => {
  const from = '2027-01-01T00:00:00Z';
  it('is read as a program has it, and as YAML and JSON', () => {
    const json = DICTIONARY.replace('PRICING = ', '').replace('},\n}', '}\n}');
    const yaml = [
      '# ours',
      'gpt-4o:',
      '  prompt: 5.0e-6',
      '  completion: 0.000015',
      'gpt-4o-mini: { prompt: 1.5E-7, completion: 0.60e-6 }',
      'text-embedding-3-large: { prompt: 0.13e-6, completion: 0 }',
      'gpt-4-turbo: { prompt: 10.0e-6, completion: 30.0e-6 }',
    ].join('\n');
    for (const text of [DICTIONARY, json, JSON.stringify(JSON.parse(json)), yaml]) {
      expect(read(text, { from })).toMatchObject({
        format: 'model-table',
        problems: [],
        notTaken: [],
        rows: [
          'gpt-4o global * prompt 5.00 million_tokens 2027-01-01T00:00:00Z',
          'gpt-4o global * completion 15.00 million_tokens 2027-01-01T00:00:00Z',
        ],
        // What the book has in force already, the embedding's prompt among it, changes nothing.
        heldCount: 5,
      });
    }
  });

  it('has everything that is wrong told by line', () => {
    const told = read(
      [
        'gpt-4o: { prompt: -5e-6, completion: 0 }',
        'o3: { promt: 2e-6 }',
        'o1: { prompt: "0,000015" }',
        'o1-mini: 3',
        'gpt-4.1: { prompt: 2.50 }',
        'gpt-4.1-mini: { prompt: 0.0000000000000001 }',
        'gpt-4.1-nano: { prompt: 5.0e-4 }',
      ].join('\n'),
    );
    expect(told.problems).toEqual([
      '1 gpt-4o.prompt is negative',
      '1 gpt-4o.completion is zero',
      '2 o3.promt is no kind of price',
      '3 o1.prompt is no number: "0,000015"',
      '4 o1-mini has no prices by kind',
      '5 gpt-4.1.prompt is 2.50 for one token, which is 2500000.00 for a million',
      '6 gpt-4.1-mini.prompt is finer than the book holds: 0.0000000000000001',
      expect.stringMatching(/^7 amount .*is absurd/),
    ]);
    const half = read(DICTIONARY.slice(0, 120));
    expect(half.rows).toEqual([]);
    expect(half.problems).toEqual([expect.stringMatching(/is neither JSON nor YAML from here on/)]);
  });
});

describe('the map of LiteLLM', () => {
  const map = (entries: object) =>
    JSON.stringify({ sample_spec: { litellm_provider: 'openai' }, ...entries });
  it('is read without a float, and what is not taken is told', () => {
    const text = map({
      'gpt-4o': { input_cost_per_token: 9 },
      'azure/gpt-4o': { input_cost_per_token: 3.1e-6, litellm_provider: 'azure' },
      'azure/gpt-4o-2024-11-20': { input_cost_per_token: 3.2e-6 },
      'azure/eu/o3': { input_cost_per_token: 2.3e-6, input_cost_per_token_priority: 4e-6 },
      'azure/new-model': { input_cost_per_token: 1e-6, output_cost_per_pixel: 1e-6 },
      'azure/gone': { input_cost_per_token: 1e-6, deprecation_date: '2025-01-01' },
      'azure/minus': { input_cost_per_token: -1e-6 },
      'azure/none': null,
    });
    const { format, problems, rows, notTaken } = read(text, { from: '2027-01-01T00:00:00Z' });
    expect([format, problems]).toEqual(['litellm', []]);
    expect(rows).toEqual([
      'gpt-4o global * prompt 3.10 million_tokens 2027-01-01T00:00:00Z',
      'o3 data_zone eu prompt 2.30 million_tokens 2027-01-01T00:00:00Z',
      'new-model global * prompt 1.00 million_tokens 2027-01-01T00:00:00Z',
    ]);
    expect(Object.fromEntries(notTaken.map(({ subject, why }) => [subject, why]))).toEqual({
      'azure/gpt-4o-2024-11-20': 'is another name of gpt-4o, whose own entry says 3.10',
      'azure/eu/o3': expect.stringContaining('service tier priority'),
      'azure/new-model': expect.stringContaining('no field'),
      'azure/gone': 'ended on 2025-01-01',
      'azure/minus': 'is negative',
      'azure/none': 'is no entry',
    });
  });

  it('is refused when it was cut off or is a hundred times what it was', () => {
    const text = map({ 'azure/gpt-4o': { input_cost_per_token: 3.1e-4 } });
    expect(read(text.slice(0, -9)).problems).toEqual([
      expect.stringMatching(/file is no JSON, or was cut off/),
    ]);
    expect(read(text).problems).toEqual([expect.stringMatching(/amount .*is absurd/)]);
  });
});

const EA =
  'BasePrice,CurrencyCode,EffectiveEndDate,EffectiveStartDate,IncludedQuantity,MarketPrice,MeterId,MeterCategory,MeterName,' +
  'MeterRegion,PriceType,ServiceFamily,Term,UnitOfMeasure,UnitPrice';
const eaRow = (meterId: string, more: Record<string, string> = {}) => {
  const cells: Record<string, string> = {
    BasePrice: '0.0025',
    CurrencyCode: 'USD',
    EffectiveEndDate: '2026-12-31',
    EffectiveStartDate: '2026-12-01',
    IncludedQuantity: '0',
    MeterId: meterId,
    MeterCategory: 'Azure OpenAI',
    MeterName: 'gpt-4o Inp glbl',
    MeterRegion: 'SE Central',
    PriceType: 'Consumption',
    UnitOfMeasure: '1K',
    UnitPrice: '0.0024',
    ...more,
  };
  return EA.split(',')
    .map((column) => cells[column] ?? '')
    .join(',');
};
const sheet = (...rows: string[]) => [EA, ...rows].join('\n');

describe('a price sheet of Azure', () => {
  it('brings what is paid for the meters that are named, and tells the others with all that tells them apart', () => {
    const told = read(
      sheet(
        eaRow(PROMPT),
        eaRow(PROMPT.toUpperCase(), { MeterRegion: 'UK South' }),
        eaRow(COMPLETION, { UnitOfMeasure: '"1,000"', UnitPrice: '0.0095' }),
        eaRow(UNNAMED, { MeterName: 'gpt 9 Inp' }),
        eaRow(UNNAMED, { MeterName: 'gpt 9 Inp', MeterRegion: 'UK South' }),
        eaRow(UNNAMED.replace('9', '8'), { MeterCategory: 'Virtual Machines' }),
        eaRow(PROMPT, { PriceType: 'SavingsPlan', UnitPrice: '0.001' }),
        eaRow(EMBEDDING, { UnitPrice: '0' }),
      ),
    );
    expect(told).toMatchObject({
      format: 'price-sheet',
      problems: [],
      rows: [
        'gpt-4o global * prompt 2.40 million_tokens 2026-12-01T00:00:00Z',
        'gpt-4o global * completion 9.50 million_tokens 2026-12-01T00:00:00Z',
      ],
    });
    expect(told.notTaken).toMatchObject([
      { line: 8, why: 'is a price for SavingsPlan, not for use' },
      { line: 9, why: 'is zero' },
      {
        line: 5,
        subject: UNNAMED,
        details: {
          meterName: 'gpt 9 Inp',
          category: 'Azure OpenAI',
          regions: 'SE Central, UK South',
          unit: '1K',
          price: '0.0024 USD',
          rows: '2',
        },
      },
      { subject: 'Virtual Machines', why: 'is no service of models', details: { rows: '1' } },
    ]);
  });

  it('is read by the names of its columns in any order, of a customer agreement and as a German spreadsheet saves it', () => {
    const mca = [
      'sep=;',
      'unitPrice;currency;meter ID;unitOfMeasure;effectiveStartDate;effectiveEndDate;billingCurrency;tierMinimumUnits;product',
      `0,0024;USD;${PROMPT};1K;1.12.2026;31.12.2026;EUR;0;Azure OpenAI`,
      `9,5;USD;${COMPLETION};1M;1.12.2026 00:00;31.12.2026;EUR;0,0;Azure OpenAI`,
    ].join('\r\n');
    expect(read(`\uFEFF${mca}\r\n`)).toMatchObject({
      format: 'price-sheet',
      problems: [],
      rows: [
        'gpt-4o global * prompt 2.40 million_tokens 2026-12-01T00:00:00Z',
        'gpt-4o global * completion 9.50 million_tokens 2026-12-01T00:00:00Z',
      ],
    });
  });

  it('refuses columns that are translated or shuffled, and says what it understood', () => {
    const translated = read(
      ['Zähler-ID;Währung;Maßeinheit;Preis je Einheit;MeterName', `${PROMPT};USD;1K;0,0024;gpt-4o Inp`].join(
        '\n',
      ),
    );
    expect(translated.format).toBe('price-sheet');
    expect(translated.problems).toEqual(
      ['MeterId', 'UnitOfMeasure', 'UnitPrice', 'Currency'].map(
        (name) => `1 ${name} is no column of the header, which may be translated`,
      ),
    );
    expect(translated.fixes[0]).toMatch(/Understood: MeterName\. .*Preis je Einheit \(such as "0,0024"\)/);
    const [header = '', row = ''] = sheet(eaRow(PROMPT)).split('\n');
    const shuffled = read([header.split(',').reverse().join(','), row].join('\n'));
    expect(shuffled.rows).toEqual([]);
    expect(shuffled.problems).toContainEqual(
      expect.stringMatching(/^1 UnitPrice has "" and the like|^1 MeterId has .*shuffled against the header/),
    );
  });

  it('refuses what contradicts itself or the book, by line', () => {
    const late = { EffectiveStartDate: '2027-02-01', EffectiveEndDate: '2027-02-28' };
    const told = read(
      sheet(
        eaRow(PROMPT),
        eaRow(PROMPT, { UnitPrice: '0.0023' }), // 3: the same meter twice
        eaRow(PROMPT, { UnitPrice: '0.0022', EffectiveStartDate: '2026-12-15' }), // 4: overlaps line 2
        eaRow(COMPLETION, { UnitPrice: '-0.01' }),
        eaRow(COMPLETION, { ...late, CurrencyCode: 'EUR' }),
        eaRow(COMPLETION, { ...late, UnitOfMeasure: '1 Sausage' }),
        eaRow(COMPLETION, { ...late, UnitOfMeasure: '1 Hour' }),
        eaRow(COMPLETION, { ...late, EffectiveStartDate: '2027-02-30' }),
        eaRow(COMPLETION, { ...late, EffectiveEndDate: '2027-01-01' }),
        eaRow(COMPLETION, { ...late, UnitPrice: 'free' }),
        eaRow(PROMPT).slice(0, 60), // 12: cut off
      ),
    );
    expect(told.problems).toEqual([
      expect.stringMatching(/^3 MeterId .* overlaps: 2\.30 from .*line 2 says 2\.40/),
      expect.stringMatching(/^4 MeterId .* overlaps: 2\.20 from 2026-12-15.*line 2 says 2\.40/),
      '5 UnitPrice is negative',
      "6 Currency is eur, and the book's is usd",
      '7 UnitOfMeasure is unknown: "1 Sausage"',
      '8 UnitOfMeasure does not go with completion: "1 Hour"',
      '9 EffectiveStartDate is no date: "2027-02-30"',
      '10 EffectiveEndDate is before the start: 2027-01-01T00:00:00Z',
      '11 UnitPrice is no number: "free"',
      expect.stringMatching(/^12 line has \d+ cells where the header has 15/),
    ]);
  });

  it('sees that a price overlaps one that was said again for a part of its time', () => {
    const year = eaRow(PROMPT, { EffectiveEndDate: '2027-11-30' });
    const month = { EffectiveStartDate: '2027-01-01', EffectiveEndDate: '2027-01-31' };
    const other = { EffectiveStartDate: '2027-02-01', EffectiveEndDate: '2027-02-28', UnitPrice: '0.0023' };
    expect(read(sheet(year, eaRow(PROMPT, month), eaRow(PROMPT, other))).problems).toEqual([
      expect.stringMatching(/^4 MeterId .* overlaps/),
    ]);
  });

  it('does not guess which of two dates is meant', () => {
    const slashes = (start: string, end: string) =>
      read(sheet(eaRow(PROMPT, { EffectiveStartDate: start, EffectiveEndDate: end })));
    expect(slashes('12/1/2026', '12/31/2026').rows).toEqual([
      'gpt-4o global * prompt 2.40 million_tokens 2026-12-01T00:00:00Z',
    ]);
    expect(slashes('12/1/2026 12:00:00 AM', '').problems).toEqual([
      '2 EffectiveStartDate may be 2026-01-12T00:00:00Z or 2026-12-01T00:00:00Z; write it like 2026-01-31',
    ]);
  });
});

describe('a spreadsheet of the book', () => {
  const csv = (...lines: string[]) =>
    `\uFEFF${['model;tokenType;amount;effectiveFrom;confirmed', ...lines].join('\r\n')}`;
  it('may have decimal commas, dates and words of another language', () => {
    expect(
      read(csv('gpt-4o;prompt;2,40;01.02.2027;WAHR', 'gpt-4o;completion;9,125;01.02.2027;')),
    ).toMatchObject({
      format: 'csv',
      problems: [],
      rows: [
        'gpt-4o global * prompt 2.40 million_tokens 2027-02-01T00:00:00Z',
        'gpt-4o global * completion 9.125 million_tokens 2027-02-01T00:00:00Z',
      ],
    });
  });

  it('is refused by line where a number may be two', () => {
    expect(read(csv('gpt-4o;prompt;2,400;2027-02-01;')).problems).toEqual([
      expect.stringMatching(/^2 amount has a comma; .*it may be 2\.400 or 2400$/),
    ]);
    expect(
      read(csv('gpt-4o;prompt;2,4;2027-02-01;', 'gpt-4o;completion;9.125;2027-02-01;')).problems,
    ).toEqual([expect.stringMatching(/^3 amount may be 9\.125 or 9125/)]);
    expect(read(csv('gpt-4o;prompt;2,4;2027-02-01;', 'gpt-4o;completion;9.1;2027-02-01;')).problems).toEqual([
      expect.stringMatching(/^2 amount has a comma; .*other numbers of the file have a point/),
    ]);
  });
});
