import { afterEach, describe, expect, it } from 'vitest';
import { TOKEN_TYPES } from '../../pricing/usage/shape.ts';
import { CopiedTree } from './copied-tree.ts';

/** What the design allows one figure or one dimension to touch beside its migration. */
const FILE_LIMIT = 8;

let tree: CopiedTree;
afterEach(() => tree.remove());

type Probe = typeof import('./probe.ts');

const VIDEO = `  videoPrompt: {
    property: 'videoPromptTokenCount',
    column: 'video_prompt_token_count',
    tokenKind: 'video_prompt',
    metricNames: ['Prompt Video Tokens'],
    meterSlug: 'tallystick_video_prompt_tokens',
    eventField: 'video_prompt_tokens',
    tokenType: 'prompt_video',
    partOf: ['prompt'],
  },
`;
const VIDEO_MIGRATION = `
alter table usage_events add column video_prompt_token_count bigint not null default 0;
alter table dropped_item_sums add column video_prompt_token_count bigint not null default 0;
do $$
declare found record;
begin
  for found in
    select conrelid::regclass as of_table, conname, pg_get_constraintdef(oid) as definition from pg_constraint
    where contype = 'c' and coninhcount = 0 and (pg_get_constraintdef(oid) like '%(token_type = ANY%'
      or pg_get_constraintdef(oid) like '%(token_kind = ANY%')
  loop
    execute format('alter table %s drop constraint %I', found.of_table, found.conname);
    execute format('alter table %s add constraint %I %s', found.of_table, found.conname,
      replace(found.definition, 'ARRAY[', 'ARRAY[''prompt_video''::text, ''video_prompt''::text, '));
  end loop;
end $$;
`;
const LAST_TYPE = `| '${TOKEN_TYPES.at(-1)}'`;

/** What each place needs to know of the new token type; the compiler points at all of them. */
const VIDEO_PLACES = [
  {
    before: "  completion: { product: 'completion tokens'",
    text: "  prompt_video: { product: 'video prompt tokens', customer: 'video input tokens' },\n",
  },
  { before: "    completion: 'Ausgabe-Token',", text: "    prompt_video: 'Video-Eingabe-Token',\n" },
  { before: '    completion_audio: completion,', text: '    prompt_video: prompt,\n' },
  {
    before: '    completionTokenCount: entry.completionTokenCount,',
    text: '    videoPromptTokenCount: 0n,\n',
  },
];

const TEAM = `  team: {
    column: 'team',
    eventPlace: 'data',
    variable: 'DIMENSION_TEAM',
    policyName: 'team',
  },
`;
const TEAM_MIGRATION = `
${[
  'source_items',
  'control_items',
  'usage_events',
  'hourly_usage',
  'hourly_activity',
  'drifts',
  'dropped_item_sums',
]
  .map((table) => `alter table ${table} add column team text not null default '';`)
  .join('\n')}
do $$
declare found record;
begin
  for found in
    select conrelid::regclass as of_table, conname, pg_get_constraintdef(oid) as definition from pg_constraint
    where contype in ('p', 'u') and pg_get_constraintdef(oid) like '%subject, feature, model, deployment%'
      -- What is summed by day for a page groups by what that page shows.
      and exists (select from pg_attribute where attrelid = conrelid and attname = 'team')
  loop
    execute format('alter table %s drop constraint %I', found.of_table, found.conname);
    execute format('alter table %s add constraint %I %s', found.of_table, found.conname,
      replace(found.definition, 'deployment', 'deployment, team'));
  end loop;
end $$;
`;

describe('adding to the shape of usage', () => {
  it('a figure with a token type touches few files, all named by the compiler, and runs from source to API', {
    timeout: 240_000,
  }, async () => {
    tree = new CopiedTree();
    tree.insert({ before: "  completion: {\n    property: 'completionTokenCount'", text: VIDEO });
    tree.addMigration('video', VIDEO_MIGRATION);
    tree.regenerate(LAST_TYPE, `${LAST_TYPE} | 'prompt_video'`);
    const named = await tree.findTypeErrors();
    for (const place of VIDEO_PLACES) tree.insert(place);
    // All but the shape itself.
    expect(named).toEqual([...tree.edited].slice(1).sort());
    expect(await tree.findTypeErrors()).toEqual([]);
    console.log(
      `a figure touches ${tree.edited.size} files: ${[...tree.edited].join(', ')}; the compiler names ${named.length}`,
    );
    expect(tree.edited.size).toBeLessThanOrEqual(FILE_LIMIT);

    const { playHour } = await tree.load<Probe>('test/usage-shape/probe.ts');
    const seen = await playHour({ 'Prompt Video Tokens': 30 }, {});
    expect(seen.meters).toContain('tallystick_video_prompt_tokens');
    expect(seen.waiting).toEqual([]);
    expect(seen.events).toEqual([
      expect.objectContaining({
        prompt_tokens: '100',
        cached_prompt_tokens: '10',
        video_prompt_tokens: '30',
      }),
    ]);
    expect(seen.eventRows).toEqual([expect.objectContaining({ video_prompt_token_count: 30n })]);
    expect({ settlements: seen.settlements, drifts: seen.drifts }).toEqual({
      settlements: ['settled'],
      drifts: [],
    });
    const byType = { prompt: '60', prompt_cached: '10', prompt_video: '30', completion: '20' };
    expect(
      Object.fromEntries(seen.hourlyUsage.map((row) => [row.token_type, String(row.token_count)])),
    ).toEqual(byType);
    expect(Object.fromEntries(seen.usageByType.map((row) => [row.tokenType, row.tokenCount]))).toEqual(
      byType,
    );
    expect(Object.fromEntries(seen.agreeing.map((row) => [row.tokenType, row.source]))).toEqual(byType);
    expect(seen.agreeing.map((row) => row.difference)).toEqual(['0', '0', '0', '0']);
  });

  it('a dimension touches the shape alone, and runs from source to API', { timeout: 240_000 }, async () => {
    tree = new CopiedTree();
    tree.insert({ before: "  deployment: {\n    column: 'deployment'", text: TEAM });
    tree.addMigration('team', TEAM_MIGRATION);
    expect(await tree.findTypeErrors()).toEqual([]);
    console.log(`a dimension touches ${tree.edited.size} files: ${[...tree.edited].join(', ')}`);
    expect(tree.edited.size).toBeLessThanOrEqual(FILE_LIMIT);

    const { playHour } = await tree.load<Probe>('test/usage-shape/probe.ts');
    const seen = await playHour({}, { team: 'red' });
    expect(seen.waiting).toEqual([]);
    expect(seen.events).toEqual([expect.objectContaining({ team: 'red' })]);
    expect(seen.settlements).toEqual(['settled']);
    expect(seen.hourlyUsage.map((row) => row.team)).toEqual(['red', 'red', 'red']);
    expect(seen.usageByDimension).toEqual([[expect.objectContaining({ team: 'red', tokenCount: '120' })]]);
  });
});
