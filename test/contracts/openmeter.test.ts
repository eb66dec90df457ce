import { beforeAll, describe, expect, test } from 'vitest';
import { ANSWER_SHAPES } from '../../src/openmeter/answer-shapes.ts';
import { judge, type ReadField } from './contract.ts';
import { createRecorder, type Exchange } from './exchange.ts';
import { OPENMETER } from './openmeter-contract.ts';
import { walkPipeline, walkPort } from './openmeter-walk.ts';
import { fieldsRead } from './strict-schema.ts';

const CUSTOMER = [
  'billingAddress',
  'currency',
  'currentSubscriptionId',
  'deletedAt',
  'description',
  'id',
  'key',
  'metadata.*',
  'name',
  'primaryEmail',
  'usageAttribution.subjectKeys[]',
];
const METER = ['aggregation', 'eventFrom', 'eventType', 'groupBy.*', 'slug', 'valueProperty'];
const inList = (fields: string[], list: string) => fields.map((field) => `${list}${field}`);

/** What the product reads. A field is added here on purpose, when OpenMeter's description has it. */
const READ: Record<keyof typeof ANSWER_SHAPES, { status: number; fields: string[] }> = {
  'GET /api/v2/events': { status: 200, fields: ['items[].event.id', 'nextCursor'] },
  'GET /api/v1/meters': { status: 200, fields: inList(METER, '[].') },
  'POST /api/v1/meters': { status: 201, fields: METER },
  'GET /api/v1/meters/{meterIdOrSlug}': { status: 200, fields: METER },
  'POST /api/v1/meters/{meterIdOrSlug}/query': {
    status: 200,
    fields: ['data[].groupBy.*', 'data[].subject', 'data[].value', 'data[].windowStart'],
  },
  'GET /api/v1/customers': { status: 200, fields: [...inList(CUSTOMER, 'items[].'), 'totalCount'] },
  'POST /api/v1/customers': { status: 201, fields: CUSTOMER },
  'GET /api/v1/customers/{customerIdOrKey}': { status: 200, fields: CUSTOMER },
  'PUT /api/v1/customers/{customerIdOrKey}': { status: 200, fields: CUSTOMER },
};
const FIELDS: ReadField[] = Object.entries(READ).flatMap(([route, { status, fields }]) =>
  fields.map((field) => ({ route, status, field })),
);

let exchanges: Exchange[] = [];
beforeAll(async () => {
  const recorder = createRecorder();
  await walkPort(recorder);
  await walkPipeline(recorder);
  exchanges = recorder.exchanges();
});

/** A recorded exchange, changed: the last of its kind, since lists are empty at first. */
function changed(call: string, status: number, change: (exchange: Exchange) => void): Exchange {
  const found = exchanges.findLast(
    (exchange) => `${exchange.method} ${exchange.path}` === call && exchange.status === status,
  );
  if (found === undefined) throw new Error(`No ${call} was answered with ${status}`);
  const copy = structuredClone(found);
  change(copy);
  return copy;
}

describe('OpenMeter, by the schemas and types of its own SDK', () => {
  test('takes what we send, answers as the stand-in does, and knows every field that we read', async () => {
    expect(await judge(OPENMETER, exchanges, FIELDS)).toEqual([]);
    const statuses = new Set(exchanges.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([200, 201, 204, 400, 404, 429, 500]);
  });

  test('has no answer of which more is read than is listed here', () => {
    const read = Object.fromEntries(
      Object.entries(ANSWER_SHAPES).map(([call, shape]) => [call, fieldsRead(shape).sort()]),
    );
    expect(read).toEqual(
      Object.fromEntries(Object.entries(READ).map(([call, { fields }]) => [call, [...fields].sort()])),
    );
  });

  test('is held strictly: nothing that it does not know passes, sent, answered or read', async () => {
    type Body = Record<string, unknown>;
    const wrong = [
      changed('POST /api/v1/events', 204, ({ requestBody }) => {
        Object.assign((requestBody as Body[])[0] ?? {}, { tenant: 'a', subject: 7, time: 'yesterday' });
      }),
      changed('POST /api/v1/meters', 200, ({ requestBody, answerBody }) => {
        Object.assign(requestBody as Body, { windowSize: 'HOUR' });
        Object.assign(answerBody as Body, { aggregation: 'MEDIAN', createdAt: 'now' });
      }),
      changed('GET /api/v1/meters', 200, ({ answerBody }) => {
        Object.assign((answerBody as Body[])[0] ?? {}, { colour: 'red' });
      }),
      changed('GET /api/v2/events', 200, (exchange) => {
        exchange.query = [
          ['filter', '{"id":{"$within":["a"]},"colour":{"$eq":"red"}}'],
          ['size', '10'],
        ];
        delete (exchange.answerBody as Body).items;
      }),
      changed('GET /api/v1/customers', 200, ({ answerBody }) => {
        Object.assign((answerBody as { items: Body[] }).items[0] ?? {}, { name: null });
      }),
      changed('POST /api/v1/events', 400, ({ answerBody }) => {
        delete (answerBody as Body).title;
      }),
      changed('POST /api/v1/events', 204, (exchange) => {
        exchange.status = 202;
      }),
      { ...changed('GET /api/v1/meters', 200, () => undefined), path: '/api/v1/portal/meters' },
    ];
    const fields = [{ route: 'GET /api/v1/customers', status: 200, field: 'items[].colour' }];
    const told = (await judge(OPENMETER, wrong, fields)).filter(
      (problem) => !problem.endsWith('never asked'),
    );
    const about = (...words: string[]) => expect(told).toContainEqual(matching(words));
    about('POST /api/v1/events asked', 'tenant');
    about('POST /api/v1/events asked', '0.subject');
    about('POST /api/v1/events asked', '0.time');
    about('POST /api/v1/meters asked', 'windowSize');
    about('POST /api/v1/meters answered 201', 'MEDIAN');
    about('POST /api/v1/meters answered 201', 'now');
    about('GET /api/v1/meters answered 200', 'colour');
    about('GET /api/v2/events filter', '$within');
    about('GET /api/v2/events asked', 'size');
    about('GET /api/v2/events answered 200', 'items');
    about('GET /api/v1/customers answered 200', 'null');
    about('POST /api/v1/events answered 400', 'title');
    about('POST /api/v1/events answered 202');
    about('GET /api/v1/portal/meters', 'no route');
    about('GET /api/v1/customers is read', 'colour');
  });

  test('is held to its known lies only while they are told', async () => {
    const honest = changed('POST /api/v1/meters', 200, (exchange) => {
      exchange.status = 201;
    });
    const others = exchanges.filter(({ method, path }) => `${method} ${path}` !== 'POST /api/v1/meters');
    expect(await judge(OPENMETER, [...others, honest], [])).toEqual([
      'POST /api/v1/meters 200: named as an exception, and never seen',
    ]);
  });
});

function matching(words: readonly string[]): unknown {
  const pattern = words.map((word) => word.replaceAll(/[$.{}()[\]/]/g, '\\$&')).join('.*');
  return expect.stringMatching(new RegExp(`^${pattern}`, 's'));
}
