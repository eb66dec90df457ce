import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FIGURES, SOURCE_FIGURES } from '../../pricing/usage/shape.ts';
import { TELLABLE_PARTS } from '../../pricing/usage/untold.ts';
import { CACHE_MINUTES } from '../../src/anomalies/repeats/keep.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { flatten, parseXml, type XmlElement } from './xml.ts';

const FOLDER = new URL('../../deploy/apim/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.xml'));
const EMITTERS = ['llm-emit-token-metric', 'azure-openai-emit-token-metric'];

const read = (name: string): XmlElement[] => flatten(parseXml(readFileSync(new URL(name, FOLDER), 'utf8')));

function only(elements: XmlElement[], name: string): XmlElement {
  const found = elements.filter((element) => element.name === name);
  expect(found, name).toHaveLength(1);
  return found[0] as XmlElement;
}

test('the reader refuses what is not well-formed', () => {
  for (const broken of [
    '<a>',
    '<a></b>',
    '<a b="1" b="2"/>',
    '<a b=1/>',
    '<a b="@("x")"/>',
    '<a>x && y</a>',
    '<a b="List<string>"/>',
    '<a/><b/>',
    '<!-- a -- b --><a/>',
    '<a>&nbsp;</a>',
  ]) {
    expect(() => parseXml(broken), broken).toThrow(SyntaxError);
  }
});

test.each(FILES)('%s is well-formed XML', (name) => {
  const root = read(name)[0];
  expect(root?.name).toBe(name.startsWith('policy') ? 'policies' : 'fragment');
});

test('the trace of usage names its figures as usage events do', () => {
  const fields = SOURCE_FIGURES.map((name) => FIGURES[name].eventField as string);
  const named = read('tallystick-trace-usage.xml')
    .filter(({ name }) => name === 'metadata')
    .map(({ attributes }) => attributes.name ?? '');
  expect(named.filter((name) => !fields.includes(name))).toEqual([]);
  for (const { figure } of TELLABLE_PARTS) expect(named).toContain(FIGURES[figure].eventField);
});

describe.each(EMITTERS)('%s', (name) => {
  const emitter = () => only(read(`${name}.xml`), name);
  const dimensions = () => emitter().children;

  test('emits the five dimensions that the configuration reads by default, and no more', () => {
    const config = loadConfig({});
    expect(dimensions().map((dimension) => [dimension.name, dimension.attributes.name])).toEqual([
      ['dimension', config.DIMENSION_SUBJECT],
      ['dimension', config.DIMENSION_CUSTOMER],
      ['dimension', config.DIMENSION_FEATURE],
      ['dimension', config.DIMENSION_MODEL],
      ['dimension', config.DIMENSION_DEPLOYMENT],
    ]);
  });

  test('has a constant namespace, because the policy takes no expression there', () => {
    expect(emitter().attributes.namespace).toMatch(/^\w+$/);
  });

  test('takes every dimension from a variable that the caller fragment sets', () => {
    const variables = read('tallystick-caller.xml')
      .filter((element) => element.name === 'set-variable')
      .map((element) => element.attributes.name);
    for (const dimension of dimensions()) {
      const variable = /^@\(\(string\)context\.Variables\["(\w+)"\]\)$/.exec(
        dimension.attributes.value ?? '',
      )?.[1];
      expect(variables).toContain(variable);
    }
  });
});

describe('the trace fragment', () => {
  const trace = () => only(read('tallystick-trace.xml'), 'trace');
  const metadata = () => trace().children.filter((element) => element.name === 'metadata');

  test('is written under the source that the configuration looks for, at a level that is logged', () => {
    expect(trace().attributes.source).toBe(loadConfig({}).LLM_LOG_TRACE_SOURCE);
    expect(trace().attributes.severity).toBe('information');
    expect(only(trace().children, 'message').text).not.toBe('');
  });

  test('names user, tenant and the rest as the metric does, from the same variables', () => {
    const emitted = only(read('azure-openai-emit-token-metric.xml'), 'azure-openai-emit-token-metric');
    expect(metadata().map((element) => element.attributes)).toEqual(
      emitted.children.map((element) => element.attributes),
    );
  });
});

describe('the cache of one tenant', () => {
  const lookup = read('tallystick-cache-lookup.xml');
  const store = only(read('tallystick-cache-store.xml'), 'cache-store-value');

  test('keeps answers as long as savings are worked out for, under the key that is looked up', () => {
    expect(store.attributes.duration).toBe(String(CACHE_MINUTES * 60));
    expect(store.attributes.key).toBe(only(lookup, 'cache-lookup-value').attributes.key);
  });

  test('is for one tenant of the validated token, by all that was asked, and never for a stream', () => {
    const key = lookup.find(({ attributes }) => attributes.name === 'tallystickCacheKey')?.attributes.value;
    for (const part of [
      'tallystickTenantId',
      'tallystickCachedTenant',
      'Url.Path',
      'QueryString',
      'SHA256',
      '"stream"',
    ])
      expect(key).toContain(part);
    const tenant = lookup.find(({ attributes }) => attributes.name === 'tallystickCachedTenant');
    expect(tenant?.attributes.value).toBe('{{tallystick-cached-tenant}}');
    expect(key).not.toMatch(/Headers|AsJwt/);
  });
});

describe('the caller fragment', () => {
  const elements = read('tallystick-caller.xml');
  const variable = (name: string) =>
    elements.find((element) => element.name === 'set-variable' && element.attributes.name === name);

  test('validates the token before anything else, for a stated tenant and audience', () => {
    expect(elements[1]?.name).toBe('validate-azure-ad-token');
    expect(elements[1]?.attributes).toMatchObject({
      'tenant-id': '{{tallystick-entra-tenant}}',
      'output-token-variable-name': 'tallystickToken',
    });
    expect(only(elements, 'audience').text).toBe('{{tallystick-audience}}');
  });

  test.each([
    ['tallystickUserId', 'oid'],
    ['tallystickTenantId', 'tid'],
  ])('reads %s from claim %s of the validated token, never from the request', (name, claim) => {
    const value = variable(name)?.attributes.value ?? '';
    expect(value).toContain(
      `((Jwt)context.Variables["tallystickToken"]).Claims.GetValueOrDefault("${claim}"`,
    );
    expect(value).not.toMatch(/Request|Header|Query|Body|AsJwt/);
  });

  test('lets only a short plain word be a feature', () => {
    const pattern = /IsMatch\(feature, "([^"]+)"\)/.exec(
      variable('tallystickFeature')?.attributes.value ?? '',
    )?.[1];
    const allowed = new RegExp(pattern ?? '$^');
    for (const word of ['chat', 'thread-summary', 'a'.repeat(64)]) expect(word).toMatch(allowed);
    for (const word of ['', 'Chat', 'a b', '-a', 'a'.repeat(65), '😀', 'a;b'])
      expect(word).not.toMatch(allowed);
  });
});

describe('the usage of streams', () => {
  const elements = read('include-stream-usage.xml');

  test('is asked for on streamed chat completions only, not on the Responses API', () => {
    const condition = only(elements, 'when').attributes.condition ?? '';
    expect(condition).toContain('!context.Request.Url.Path.EndsWith("/chat/completions"');
    expect(condition).toContain('["stream"] == true');
    expect(condition).not.toContain('/responses');
  });

  test('keeps the client’s other stream options', () => {
    const body = only(elements, 'set-body').text;
    expect(body).toContain('body["stream_options"] as JObject ?? new JObject()');
    expect(body).toContain('options["include_usage"] = true');
  });
});

describe('the policy', () => {
  const root = parseXml(readFileSync(new URL('policy.xml', FOLDER), 'utf8'));
  const fragments = (section: string) =>
    root.children
      .filter((element) => element.name === section)
      .flatMap(flatten)
      .filter((element) => element.name === 'include-fragment')
      .map((element) => element.attributes['fragment-id']);

  test('includes everything in inbound, the caller first and the metric last', () => {
    expect(fragments('inbound')).toEqual([
      'tallystick-caller',
      'tallystick-trace',
      'include-stream-usage',
      'azure-openai-emit-token-metric',
    ]);
    for (const section of ['backend', 'outbound', 'on-error']) expect(fragments(section)).toEqual([]);
  });

  test('includes only fragments that are files of this folder', () => {
    for (const id of fragments('inbound')) expect(FILES).toContain(`${id}.xml`);
  });
});
