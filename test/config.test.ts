import { describe, expect, it } from 'vitest';
import { describeConfig, loadConfig, requireOutside } from '../src/platform/config.ts';
import { TallystickError } from '../src/platform/errors.ts';
import { readApiSettings } from '../src/platform/http/dependencies.ts';

function problemsOf(environment: Record<string, string | undefined>): string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof TallystickError && error.code === 'CONFIG')
      return error.context.problems as string[];
    throw error;
  }
  return [];
}

describe('the environment', () => {
  it('may be empty, and an empty value is an absent one', () => {
    const config = loadConfig({ PORT: '', DATABASE_URL: '' });
    expect(config.PORT).toBe(8787);
    expect(config.DATABASE_URL).toBeUndefined();
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('is told of all its problems at once, each by the name of its variable', () => {
    const environment = {
      DATABASE_URL: 'mysql://somewhere/db',
      REDIS_URL: 'not an address',
      PORT: '70000',
      LOG_LEVEL: 'loud',
      AZURE_LOGS_WORKSPACE_ID: 'my-workspace',
      AZURE_LOGS_RESOURCE_ID: 'gateway',
      OPENMETER_URL: 'http://openmeter.example',
      STRIPE_WEBHOOK_SECRET: 'secret-without-prefix',
      STRIPE_CALLS_PER_SECOND: '0',
      COLLECT_START: 'yesterday',
      COLLECT_LAG_MINUTES: '-1',
      DIMENSION_SUBJECT: 'user\u0000id',
    };
    const problems = problemsOf(environment);
    expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual(Object.keys(environment).sort());
    expect(() => loadConfig(environment)).toThrow(/has 12 problem\(s\)/);
  });

  it('is told in which words models and makers are named wrongly, beside the other problems', () => {
    expect(
      problemsOf({ PORT: 'x', MODEL_PROVIDERS: 'a=meta,b', COUNTING_RULES: 'mistral=inside' }).slice(1),
    ).toEqual([
      'MODEL_PROVIDERS: says "b", which is not name=value; names the provider "meta", which has no rule; known are anthropic, openai, and COUNTING_RULES adds others',
      'COUNTING_RULES: says "mistral=inside"; a rule is within, apart, apart/with-cache or apart/without-cache',
    ]);
    expect(loadConfig({ MODEL_PROVIDERS: 'a=meta', COUNTING_RULES: 'meta=within' }).MODEL_PROVIDERS).toBe(
      'a=meta',
    );
  });

  it('is told of its problems without any secret in the words', () => {
    const environment = {
      STRIPE_WEBHOOK_SECRET: 'very-secret-word',
      STRIPE_THIN_WEBHOOK_SECRET: 'very-secret-word',
      DATABASE_URL: 'mysql://user:very-secret-word@host/db',
      REDIS_URL: 'http://:very-secret-word@host',
      OPENMETER_URL: 'http://user:very-secret-word@openmeter.example',
      STRIPE_API_BASE: 'http://user:very-secret-word@stripe.example',
    };
    expect(problemsOf(environment).length).toBe(6);
    expect(problemsOf(environment).join()).not.toContain('very-secret-word');
  });

  it.each([
    'AZURE_RETAIL_PRICES_URL',
    'OPENMETER_URL',
    'STRIPE_API_BASE',
    'AZURE_LOGS_ENDPOINT',
    'AZURE_LOGS_AUDIENCE',
  ])('lets %s be plain http on this machine only', (name) => {
    for (const url of [
      'https://somewhere.example',
      'http://127.0.0.1:8080',
      'http://localhost',
      'http://[::1]:1',
    ]) {
      expect([url, problemsOf({ [name]: url })]).toEqual([url, []]);
    }
    for (const url of [
      'http://somewhere.example',
      'http://127.0.0.1.example',
      'http://localhost.example',
      'http://10.0.0.1',
      'ftp://127.0.0.1',
      'file:///etc/passwd',
      'somewhere.example',
    ]) {
      expect([url, problemsOf({ [name]: url }).length]).toEqual([url, 1]);
    }
  });

  it('reads numbers, minutes and instants into what the program counts in', () => {
    expect(
      loadConfig({ PORT: '0', COLLECT_LAG_MINUTES: '7', COLLECT_START: '2026-11-01T02:00:00+02:00' }),
    ).toMatchObject({
      PORT: 0,
      COLLECT_LAG_MINUTES: 420_000,
      COLLECT_START: new Date('2026-11-01T00:00:00Z'),
    });
  });

  it('without the outside systems names every one that is missing', () => {
    expect(() => requireOutside(loadConfig({}))).toThrow(
      /AZURE_LOGS_WORKSPACE_ID[\s\S]*OPENMETER_URL[\s\S]*STRIPE_API_KEY/,
    );
    const whole = loadConfig({
      AZURE_LOGS_WORKSPACE_ID: '5a1b0c52-7e57-4a11-a57c-000000000001',
      OPENMETER_URL: 'https://openmeter.example',
      STRIPE_API_KEY: 'sk_test_1',
    });
    expect(requireOutside(whole)).toBe(whole);
  });
});

describe('the description of a configuration', () => {
  it('says times in the unit that their names say', () => {
    const given = {
      COLLECT_LAG_MINUTES: '7',
      SETTLE_LAG_SECONDS: '90',
      CLOSE_HOLD_HOURS: '5',
      STRIPE_LOST_AFTER_HOURS: '3',
      QUARANTINE_ALARM_HOURS: '12',
    };
    expect(describeConfig(loadConfig(given))).toMatchObject(given);
    const defaults = loadConfig({});
    const times = Object.entries(describeConfig(defaults)).filter(([name]) =>
      /_(SECONDS|MINUTES|HOURS|DAYS)$/.test(name),
    );
    expect(times.length).toBeGreaterThan(10);
    expect(loadConfig(Object.fromEntries(times))).toEqual(defaults);
  });

  it('holds no secret, and shows addresses by their host', () => {
    const secret = 'very-secret-word';
    const config = loadConfig({
      DATABASE_URL: `postgres://user:${secret}@db.example:5432/ledger?password=${secret}`,
      REDIS_URL: `rediss://:${secret}@redis.example:6380`,
      OPENMETER_URL: `https://user:${secret}@openmeter.example`,
      OPENMETER_API_KEY: secret,
      STRIPE_API_KEY: `sk_live_${secret}`,
      STRIPE_API_BASE: `https://user:${secret}@stripe.example`,
      AZURE_LOGS_ENDPOINT: `https://user:${secret}@logs.example/path?key=${secret}`,
      STRIPE_WEBHOOK_SECRET: `whsec_${secret}`,
      STRIPE_THIN_WEBHOOK_SECRET: `whsec_${secret}`,
      STRIPE_TENANT_METADATA_KEY: 'tenant',
      WAREHOUSE_URL: `https://account.blob.example/costs?sig=${secret}`,
      AWS_ACCESS_KEY_ID: secret,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_SESSION_TOKEN: secret,
    });
    const description = describeConfig(config);
    expect(JSON.stringify(description)).not.toContain(secret);
    expect(description).toMatchObject({
      DATABASE_URL: 'db.example:5432',
      REDIS_URL: 'redis.example:6380',
      OPENMETER_URL: 'openmeter.example',
      STRIPE_API_BASE: 'stripe.example',
      AZURE_LOGS_ENDPOINT: 'logs.example',
      OPENMETER_API_KEY: 'set',
      STRIPE_API_KEY: 'set',
      STRIPE_WEBHOOK_SECRET: 'set',
      STRIPE_TENANT_METADATA_KEY: 'tenant',
      WAREHOUSE_URL: 'account.blob.example',
      PORT: '8787',
    });
  });
});

it('names the seller in exports as everywhere else, unless told otherwise', () => {
  const named = (more: Record<string, string>) => readApiSettings(loadConfig(more)).focusSellerName;
  expect(named({})).toBe('Seller');
  expect(named({ SELLER_NAME: 'Contoso' })).toBe('Contoso');
  expect(named({ SELLER_NAME: 'Contoso', FOCUS_SELLER_NAME: 'Contoso Ltd' })).toBe('Contoso Ltd');
});

it.each([
  ['usd:1000', [['usd', 100_000n]]],
  [
    'USD:1000.50, jpy:900  kwd:1.125',
    [
      ['usd', 100_050n],
      ['jpy', 900n],
      ['kwd', 1_125n],
    ],
  ],
])('reads amounts above which a second person is needed: %s', (text, amounts) => {
  const { secondPerson } = readApiSettings(loadConfig({ SECOND_PERSON_ABOVE: text }));
  expect([...(secondPerson?.above ?? [])]).toEqual(amounts);
  expect(secondPerson?.waitHours).toBe(72);
});

it.each(['1000', 'usd', 'usd:-1', 'usd:1.005', 'jpy:1.5', 'usd:1 usd:2', 'usd:1e3', ' , '])(
  'refuses amounts that are none: %j',
  (text) => {
    expect(() => loadConfig({ SECOND_PERSON_ABOVE: text })).toThrow(
      /SECOND_PERSON_ABOVE: must name an amount/,
    );
  },
);
