import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findPolicyFaults } from './policy-elements.ts';
import { flatten, parseXml, type XmlElement } from './xml.ts';

const text = (name: string) =>
  readFileSync(new URL(`../../deploy/apim/${name}.xml`, import.meta.url), 'utf8');
const read = (name: string): XmlElement[] => flatten(parseXml(text(name)));
const elements = read('tallystick-enforcement');
const named = (name: string) => elements.filter((element) => element.name === name);
const variable = (of: XmlElement[], name: string) =>
  of.filter((element) => element.name === 'set-variable' && element.attributes.name === name);
const flat = (expression: string | undefined) => expression?.replaceAll(/\s+/g, ' ');
const everything = elements
  .flatMap((element) => [...Object.values(element.attributes), element.text])
  .join('\n');

describe('the fragments of enforcement', () => {
  it.each(['tallystick-enforcement', 'tallystick-enforcement-header', 'tallystick-hard-cap'])(
    '%s are made of policies as the vendor describes them',
    (name) => {
      expect(findPolicyFaults(parseXml(text(name)))).toEqual([]);
    },
  );

  it('are told from what no gateway would take', () => {
    for (const broken of [
      '<fragment><set-variable name="a" /></fragment>',
      '<fragment><set-variable name="@(1)" value="b" /></fragment>',
      '<fragment><when condition="@(true)" /></fragment>',
      '<fragment><llm-token-limit counter-key="a" tokens-per-minute="1" /></fragment>',
      '<fragment><return-response><choose /></return-response></fragment>',
      '<fragment><set-variable name="a" value="@((1)" /></fragment>',
      '<fragment><set-variable name="a" value="@(1) " /></fragment>',
      '<fragment><throttle /></fragment>',
    ]) {
      expect(findPolicyFaults(parseXml(broken)), broken).not.toEqual([]);
    }
  });

  it('look into the cache once a call, and keep what they were told longer than it holds', () => {
    expect(named('cache-lookup-value')).toHaveLength(1);
    expect(named('cache-store-value')).toHaveLength(1);
    expect(named('cache-lookup-value')[0]?.attributes.key).toBe(
      named('cache-store-value')[0]?.attributes.key,
    );
    const holds = Number(/age <= (\d+)/.exec(everything)?.[1]);
    expect(Number(named('cache-store-value')[0]?.attributes.duration)).toBeGreaterThan(holds);
  });

  it('ask for one caller, shortly, and go on without an answer', () => {
    const [request] = named('send-request');
    expect(request?.attributes).toMatchObject({ timeout: '2', 'ignore-error': 'true', mode: 'new' });
    const url = request?.children.find(({ name }) => name === 'set-url')?.text ?? '';
    expect(url).toContain('/v1/enforcement/caller?tenantKey=" + Uri.EscapeDataString(');
    expect(url).toContain('"&subject=" + Uri.EscapeDataString(');
  });

  it('believe only what is signed for this caller, as the API signs it', () => {
    const [kept] = variable(elements, 'tallystickEnforcementKept');
    const expression = flat(kept?.attributes.value);
    for (const part of [
      'GetValueOrDefault("Tallystick-Signature", "").Split(\',\')',
      'ComputeHash(Encoding.UTF8.GetBytes(seconds + "." + digest))',
      'signature.Any(part => part.Trim() == ours)',
      'Math.Abs(now - long.Parse(seconds)) <= 300',
      '(string)state["tenantKey"] == (string)context.Variables["tallystickTenantId"]',
      '(string)state["subject"] == (string)context.Variables["tallystickUserId"]',
    ]) {
      expect(expression).toContain(part);
    }
  });

  it('answer a stop with a status of its own, and only where waiting helps with Retry-After', () => {
    const answers = named('return-response');
    expect(answers).toHaveLength(2);
    const headersOf = (answer: XmlElement | undefined) =>
      answer?.children.flatMap(({ name, attributes }) => (name === 'set-header' ? [attributes.name] : []));
    expect(answers[0]?.children[0]?.attributes.code).toBe('403');
    expect(headersOf(answers[0])).toEqual(['Content-Type', 'Tallystick-Enforcement']);
    expect(headersOf(answers[1])).toEqual(['Content-Type', 'Tallystick-Enforcement', 'Retry-After']);
  });

  it('name the model that answers by the same rule as the caller', () => {
    const caller = variable(read('tallystick-caller'), 'tallystickModel');
    const swapped = variable(elements, 'tallystickModel');
    expect(flat(swapped[0]?.attributes.value)).toBe(flat(caller[0]?.attributes.value));
  });

  it('stand in their order: the caller before, the metric after, the header behind and in errors', () => {
    const root = parseXml(text('policy-with-enforcement'));
    const of = (section: string) =>
      root.children
        .filter(({ name }) => name === section)
        .flatMap(flatten)
        .flatMap(({ name, attributes }) => (name === 'include-fragment' ? [attributes['fragment-id']] : []));
    expect(of('inbound')).toEqual([
      'tallystick-caller',
      'tallystick-hard-cap',
      'tallystick-enforcement',
      'tallystick-trace',
      'include-stream-usage',
      'azure-openai-emit-token-metric',
    ]);
    expect([of('outbound'), of('on-error')]).toEqual([
      ['tallystick-enforcement-header'],
      ['tallystick-enforcement-header'],
    ]);
  });
});
