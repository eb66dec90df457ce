import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildUsageEvents } from '../../jobs/collect/build-events.ts';
import { judgeRow } from '../../jobs/collect/judge-row.ts';
import { BUILT_IN_PROVIDERS } from '../../pricing/usage/providers.ts';
import type { SourceRow } from '../../src/azure/source.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import type { SourceItem } from '../../src/usage/collection/source-items.ts';

const NOON = new Date('2026-10-01T12:00:00Z');

function sourceRow(changes: Partial<SourceRow> = {}): SourceRow {
  return {
    sourceItemId: 'item-1',
    eventTime: NOON,
    ingestedAt: new Date(NOON.getTime() + 120_000),
    metricName: 'Prompt Tokens',
    sum: 100,
    itemCount: 1,
    subject: 'user-1',
    tenantKey: 'fabrikam',
    feature: 'chat',
    model: 'gpt-4o',
    deployment: 'gpt-4o-global',
    ...changes,
  };
}

/** Of a model whose maker is named, unless a test is about that. */
function judge(row: SourceRow, knownTenant?: string) {
  return judgeRow(row, { knownTenant, rule: BUILT_IN_PROVIDERS.ruleOf(row.model) });
}

function itemOf(row: SourceRow): SourceItem {
  return { row, eventDay: '2026-10-01', usageEventId: null, ...judge(row) };
}

describe('a source row', () => {
  it('without tenant, feature or deployment is sound', () => {
    expect(judge(sourceRow({ tenantKey: '', feature: '', deployment: '' }))).toEqual({
      tokenKind: 'prompt',
      tokenCount: 100n,
      requestCount: 1n,
      countsApart: false,
      quarantineReason: null,
      quarantineDetail: null,
    });
  });

  const bad: [string, Partial<SourceRow>, string][] = [
    ['an unknown metric', { metricName: 'Audio Tokens' }, 'unknown_metric'],
    ['half a token', { sum: 0.5 }, 'not_an_integer'],
    ['NaN', { sum: Number.NaN }, 'not_an_integer'],
    ['the text NaN', { sum: 'NaN' }, 'not_an_integer'],
    ['words for a number', { sum: 'many' }, 'not_an_integer'],
    ['no sum', { sum: null }, 'not_an_integer'],
    ['a sum beyond exact counting', { sum: 2 ** 53 }, 'not_an_integer'],
    ['no item count', { itemCount: null }, 'not_an_integer'],
    ['a negative sum', { sum: -5 }, 'negative'],
    ['a negative item count', { itemCount: -1 }, 'negative'],
    ['more tokens than a minute can hold', { sum: 60_000_000_001 }, 'absurd_count'],
    ['no time', { eventTime: null }, 'no_time'],
    ['an invalid time', { eventTime: new Date(Number.NaN) }, 'no_time'],
    ['the year 1970', { eventTime: new Date(0) }, 'absurd_time'],
    [
      'a time before 1970, though its source is no younger',
      { eventTime: new Date(-1), ingestedAt: new Date(0) },
      'absurd_time',
    ],
    ['the year 2100', { eventTime: new Date('2100-01-01T00:00:00Z') }, 'absurd_time'],
    ['no subject', { subject: '' }, 'no_subject'],
    ['blanks for a subject', { subject: ' \t' }, 'no_subject'],
    ['no model', { model: '' }, 'no_model'],
    ['a model of a maker that nobody named', { model: 'Mistral-Large-3' }, 'no_provider'],
    ['a subject of 10 kB of emoji', { subject: '🧮'.repeat(2_500) }, 'dimension_too_long'],
    ['a NUL in the subject', { subject: 'user\u0000one' }, 'unreadable_dimension'],
    ['a lone surrogate in the feature', { feature: 'chat\ud83e' }, 'unreadable_dimension'],
  ];
  it.each(bad)('with %s goes to quarantine', (_what, changes, reason) => {
    expect(judge(sourceRow(changes)).quarantineReason).toBe(reason);
  });

  it('keeps its tokens in quarantine when they can be counted, and says what was told when they cannot', () => {
    expect(judge(sourceRow({ subject: '' })).tokenCount).toBe(100n);
    expect(judge(sourceRow({ itemCount: -3 }))).toMatchObject({
      tokenCount: 100n,
      requestCount: 0n,
    });
    expect(judge(sourceRow({ sum: -5 }))).toMatchObject({
      tokenCount: 0n,
      quarantineDetail: '-5 tokens of 1 measurements as told, counted as none',
    });
    expect(judge(sourceRow({ sum: 'ma\u0000ny', itemCount: null })).quarantineDetail).toBe(
      '"ma\\u0000ny" tokens of null measurements as told, counted as none',
    );
    expect(judge(sourceRow({ sum: Number.NaN })).quarantineDetail).toMatch(/^NaN tokens/);
  });

  it('tells its part beside the whole where its maker does', () => {
    const cached = { metricName: 'Prompt Cached Tokens' };
    expect(judge(sourceRow(cached)).countsApart).toBe(false);
    expect(judge(sourceRow({ ...cached, model: 'claude-sonnet-4-5' })).countsApart).toBe(true);
    expect(judge(sourceRow({ model: 'claude-sonnet-4-5' })).countsApart).toBe(false);
  });

  it('of a subject known under another tenant goes to quarantine, and under none is taken', () => {
    expect(judge(sourceRow(), 'contoso').quarantineReason).toBe('tenant_mismatch');
    expect(judge(sourceRow({ tenantKey: '' }), 'contoso').quarantineReason).toBeNull();
  });

  it('may be as late as Stripe still takes usage, and as early as clocks run apart', () => {
    const at = (ageMs: number) =>
      judge(sourceRow({ ingestedAt: new Date(NOON.getTime() + ageMs) })).quarantineReason;
    expect(at(35 * DAY_MS)).toBeNull();
    expect(at(35 * DAY_MS + 1)).toBe('absurd_time');
    expect(at(-(DAY_MS + HOUR_MS))).toBeNull();
    expect(at(-(DAY_MS + HOUR_MS) - 1)).toBe('absurd_time');
  });
});

const METRICS = [
  'Prompt Tokens',
  'Completion Tokens',
  'Total Tokens',
  'Prompt Cached Tokens',
  'Completion Reasoning Tokens',
  'Mystery Tokens',
];

const anyRow: fc.Arbitrary<SourceRow> = fc
  .record({
    sourceItemId: fc.uuid(),
    minute: fc.integer({ min: 0, max: 180 }),
    metricName: fc.constantFrom(...METRICS),
    sum: fc.oneof(
      { weight: 8, arbitrary: fc.nat({ max: 1_000_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, Number.NaN, null, 'text', 2 ** 60) },
    ),
    itemCount: fc.oneof(
      { weight: 8, arbitrary: fc.nat({ max: 50 }) },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
    subject: fc.constantFrom('user-1', 'user-2', '', '2026-10-01', '🧮'),
    feature: fc.constantFrom('chat', ''),
    model: fc.constantFrom('gpt-4o', 'o4-mini', ''),
    deployment: fc.constantFrom('a', 'a|b', ''),
  })
  .map(({ minute, ...row }) => sourceRow({ ...row, eventTime: new Date(NOON.getTime() + minute * 60_000) }));
const anyRows = fc.uniqueArray(anyRow, { selector: (row) => row.sourceItemId, maxLength: 60 });

describe('usage events', () => {
  it('hold exactly the tokens of the sound items, and each sound item names its event', () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const items = rows.map(itemOf);
        const events = buildUsageEvents(items);
        const ofItems = (kind: string) =>
          items
            .filter((item) => item.quarantineReason === null && item.tokenKind === kind)
            .reduce((sum, item) => sum + item.tokenCount, 0n);
        const ofEvents = (pick: (event: (typeof events)[number]) => bigint) =>
          events.reduce((sum, event) => sum + pick(event), 0n);
        expect(ofEvents((event) => event.promptTokenCount)).toBe(ofItems('prompt'));
        expect(ofEvents((event) => event.cachedPromptTokenCount)).toBe(ofItems('cached_prompt'));
        expect(ofEvents((event) => event.completionTokenCount)).toBe(ofItems('completion'));
        expect(ofEvents((event) => event.reasoningTokenCount)).toBe(ofItems('reasoning'));
        expect(ofEvents((event) => event.totalTokenCount)).toBe(ofItems('total'));
        const ids = new Set(events.map((event) => event.usageEventId));
        expect(ids.size).toBe(events.length);
        for (const item of items) {
          expect(item.usageEventId === null).toBe(item.quarantineReason !== null);
          if (item.usageEventId !== null) expect(ids.has(item.usageEventId)).toBe(true);
        }
        const bodies = events.map((event) => JSON.parse(event.body).data);
        expect(bodies.reduce((sum, data) => sum + BigInt(data.prompt_tokens), 0n)).toBe(ofItems('prompt'));
      }),
    );
  });

  it('are the same bytes whatever the order of the rows', () => {
    const twoOrders = anyRows.chain((rows) =>
      fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length })),
    );
    fc.assert(
      fc.property(twoOrders, ([rows, shuffled]) => {
        const bodies = (ordered: SourceRow[]) =>
          buildUsageEvents(ordered.map(itemOf))
            .map((event) => event.body)
            .sort();
        expect(bodies(shuffled)).toEqual(bodies(rows));
      }),
    );
  });

  it('change their id with the items they are made of', () => {
    const idOf = (...ids: string[]) =>
      buildUsageEvents(ids.map((sourceItemId) => itemOf(sourceRow({ sourceItemId })))).map(
        (event) => event.usageEventId,
      );
    expect(new Set([...idOf('a'), ...idOf('b'), ...idOf('a', 'b')]).size).toBe(3);
    expect(idOf('a', 'b')).toEqual(idOf('b', 'a'));
  });
});
