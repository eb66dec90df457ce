import { afterEach, expect, test } from 'vitest';
import { SANDBOX_WORKSPACE_ID } from '../../sandbox/azure/azure-stand-in.ts';
import { type AzureWorld, makeRow, RESOURCE_ID, START_MS, smallScenario, startAzure } from './support.ts';

let world: AzureWorld;

afterEach(() => world.close());

const WORKSPACE_PATH = `/v1/workspaces/${SANDBOX_WORKSPACE_ID}/query`;

/** Posts a query as a client other than ours would, and returns status and body. */
async function post(
  query: unknown,
  { path = WORKSPACE_PATH, headers = {}, timespan = undefined as string | undefined } = {},
): Promise<{
  status: number;
  body: { tables?: { columns: unknown[]; rows: unknown[][] }[]; error?: unknown };
}> {
  const response = await fetch(`${world.endpoint}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer test', 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, timespan }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
}

async function rowsOf(query: string, options = {}): Promise<unknown[][]> {
  const { status, body } = await post(query, options);
  expect(body.error).toBeUndefined();
  expect(status).toBe(200);
  return body.tables?.[0]?.rows ?? [];
}

test('answers a table of typed columns', async () => {
  world = await startAzure();
  const { body } = await post(
    'AppMetrics | where Name == "Prompt Tokens" | summarize tokens = sum(Sum), calls = sum(ItemCount), lastRow = max(TimeGenerated) by Name',
  );
  expect(body.tables?.[0]?.columns).toEqual([
    { name: 'Name', type: 'string' },
    { name: 'tokens', type: 'real' },
    { name: 'calls', type: 'long' },
    { name: 'lastRow', type: 'datetime' },
  ]);
  expect(body.tables?.[0]?.rows[0]?.[3]).toMatch(/^2026-10-0\dT\d\d:\d\d:00\.0000000Z$/);
});

test('a query needs a bearer, a known path and a JSON body', async () => {
  world = await startAzure({ standIn: { workspaceId: SANDBOX_WORKSPACE_ID, resourceId: RESOURCE_ID } });
  expect(await post('AppMetrics', { headers: { authorization: '' } })).toMatchObject({
    status: 401,
    body: { error: { code: 'AuthenticationFailed' } },
  });
  for (const path of [
    '/v1/workspaces/not-a-guid/query',
    '/v1/workspaces/00000000-0000-4000-8000-000000000009/query',
    '/v1/subscriptions/a/resourceGroups/b/providers/microsoft.insights/components/other/query',
    '/v1/elsewhere',
  ]) {
    expect(await post('AppMetrics', { path }), path).toMatchObject({
      status: 404,
      body: { error: { code: 'PathNotFoundError' } },
    });
  }
  expect(await post('AppMetrics', { headers: { 'content-type': 'text/plain' } })).toEqual({
    status: 200,
    body: {},
  });
});

test.each([
  ['', 'SemanticError'],
  [42, 'SemanticError'],
  ['AppMetrics | take', 'SyntaxError'],
  ['AppMetrics | take 5 5', 'SyntaxError'],
  ['AppMetrics | where Name == "open', 'SyntaxError'],
  ['AppMetrics | where Name == "a\\q"', 'SyntaxError'],
  ['AppMetrics | where TimeGenerated > datetime(yesterday)', 'SyntaxError'],
  ['AppMetrics | join kind=inner (AppTraces) on OperationId', 'SyntaxError'],
  ['AppMetrics; AppMetrics', 'SyntaxError'],
  ['AppTraces | take 5', 'SemanticError'],
  ['customMetrics | take 5', 'SemanticError'],
  ['AppMetrics | where NoSuchColumn == 1', 'SemanticError'],
  ['AppMetrics | where Name == 1', 'SemanticError'],
  ['AppMetrics | where Properties == "x"', 'SemanticError'],
  ['AppMetrics | where Sum', 'SemanticError'],
  ['AppMetrics | where constructor(Name) == ""', 'SemanticError'],
  ['AppMetrics | take 0 | project Name | where Sum > 1', 'SemanticError'],
  ['AppMetrics | summarize percentile(Sum, 95)', 'SemanticError'],
  ['AppMetrics | summarize n = count() by Name | where ingestion_time() > ago(1h)', 'SemanticError'],
])('refuses %j with 400 and the kind of the mistake', async (query, kind) => {
  world = await startAzure();
  expect(await post(query)).toMatchObject({
    status: 400,
    body: { error: { code: 'BadArgumentError', innererror: { code: kind } } },
  });
});

test('gives the same sums whether it or the test does the arithmetic', async () => {
  world = await startAzure({ scenario: smallScenario(7) });
  const rows = world.traffic.rowsIngestedBetween(START_MS, world.clock.nowMs());
  const expected = new Map<string, number>();
  for (const row of rows) {
    if (row.metricName !== 'Total Tokens') continue;
    const model = row.properties.model ?? '';
    expected.set(model, (expected.get(model) ?? 0) + Number(row.sum));
  }
  const answer = await rowsOf(
    'AppMetrics | where Name =~ "total tokens" | extend model = tostring(Properties.model) | summarize tokens = sum(Sum) by model | order by model asc',
  );
  expect(answer).toEqual([...expected].toSorted(([left], [right]) => (left < right ? -1 : 1)));
});

test('conditions, arithmetic and time functions mean what they mean in Kusto', async () => {
  world = await startAzure();
  world.traffic.inject([
    makeRow({ itemId: 'p', metricName: 'Probe', sum: 7, itemCount: 2 }),
    makeRow({ itemId: 'q', metricName: 'Probe', sum: null, itemCount: 3, eventMs: START_MS + 7_200_000 }),
  ]);
  const probe = 'AppMetrics | where Name == "Probe"';
  expect(
    await rowsOf(
      `${probe} | where Sum + 1 * 2 == 9 and (ItemCount == 5 or not(isnull(Sum))) | project _ItemId`,
    ),
  ).toEqual([['p']]);
  // A comparison with null is not true, whichever way round.
  expect(await rowsOf(`${probe} | where Sum != 7 or Sum < 0 | project _ItemId`)).toEqual([]);
  expect(
    await rowsOf(`${probe} | project _ItemId, hour = bin(TimeGenerated, 1h) | order by _ItemId desc`),
  ).toEqual([
    ['q', '2026-10-01T02:00:00.0000000Z'],
    ['p', '2026-10-01T00:00:00.0000000Z'],
  ]);
  expect(await rowsOf(`${probe} | where TimeGenerated > ago(30d) + 1d | summarize count()`)).toEqual([[2]]);
  expect(
    await rowsOf(
      `${probe} | where _ItemId contains "Q" and Name startswith "pro" | project Sum, tostring(Sum), isempty(Properties.none)`,
    ),
  ).toEqual([[null, '', true]]);
  expect(
    await rowsOf('AppMetrics | where Name == "none" | summarize n = count(), s = sum(Sum), m = max(Sum)'),
  ).toEqual([[0, 0, null]]);
});

test('hidden columns answer only when they are named', async () => {
  world = await startAzure();
  const { body } = await post('AppMetrics | take 1');
  expect(JSON.stringify(body.tables?.[0]?.columns)).not.toContain('_ItemId');
  expect(await rowsOf('AppMetrics | take 1 | project _ItemId')).toHaveLength(1);
});

test("the body's timespan is ANDed with the query, and other forms of it are refused", async () => {
  world = await startAzure();
  world.traffic.inject([makeRow({ metricName: 'Probe' })]);
  const query = 'AppMetrics | where Name == "Probe" | project Name';
  expect(await rowsOf(query, { timespan: '2026-10-01T00:00:00Z/2026-10-01T01:00:00Z' })).toHaveLength(1);
  expect(await rowsOf(query, { timespan: '2026-10-01T01:00:00Z/2026-10-01T02:00:00Z' })).toHaveLength(0);
  expect(await post(query, { timespan: 'PT1H' })).toMatchObject({ status: 400 });
});

test('scanning less never changes an answer: bounds on time give what filtering everything gives', async () => {
  world = await startAzure();
  const bounds = ['TimeGenerated', 'ingestion_time()'].flatMap((column) => [
    `${column} >= datetime(2026-10-01T09:00:00Z) and ${column} < datetime(2026-10-01T15:30:00Z)`,
    `${column} > datetime(2026-10-02)`,
    `${column} <= datetime(2026-10-01 12:00)`,
  ]);
  for (const bound of bounds) {
    const narrowed = await rowsOf(`AppMetrics | where ${bound} | project _ItemId | order by _ItemId asc`);
    // A condition inside `not(not())` says the same and is opaque to the planner.
    const filtered = await rowsOf(
      `AppMetrics | where not(not(${bound})) | project _ItemId | order by _ItemId asc`,
    );
    expect(narrowed.length, bound).toBeGreaterThan(0);
    expect(narrowed, bound).toEqual(filtered);
  }
});

test('faults by chance are the same for the same seed', async () => {
  const statuses = async () => {
    world = await startAzure({ standIn: { faults: { percent: { unavailable: 30, throttled: 20 } } } });
    const seen: number[] = [];
    for (let query = 0; query < 40; query += 1) seen.push((await post('AppMetrics | take 1')).status);
    await world.close();
    return seen;
  };
  const first = await statuses();
  expect(new Set(first)).toEqual(new Set([200, 429, 503]));
  expect(await statuses()).toEqual(first);
  world = await startAzure();
});
