import { describe, expect, it } from 'vitest';
import { BUILT_IN_PROVIDERS, ProviderFaults, readProviders } from '../../pricing/usage/providers.ts';

function faultsOf(given: Parameters<typeof readProviders>[0]): string[] {
  try {
    readProviders(given);
  } catch (error) {
    if (error instanceof ProviderFaults)
      return error.faults.map((fault) => `${fault.variable} ${fault.message}`);
    throw error;
  }
  return [];
}
const providerOf = (model: string, modelProviders?: string, countingRules?: string) =>
  readProviders({ modelProviders, countingRules }).ruleOf(model)?.provider ?? null;

describe('the provider of a model', () => {
  it('is said by its name, in any spelling', () => {
    for (const model of [
      'gpt-4o',
      'GPT-4o',
      ' gpt-4o ',
      'o3',
      'o4-mini',
      'text-embedding-3-large',
      'whisper',
    ])
      expect([model, providerOf(model)]).toEqual([model, 'openai']);
    for (const model of ['claude-sonnet-4-5', 'Claude-3-5-Haiku '])
      expect([model, providerOf(model)]).toEqual([model, 'anthropic']);
  });

  it('is nobody where the name says nothing: no other maker is guessed at', () => {
    for (const model of [
      '',
      'Mistral-Large-3',
      'Llama-4',
      'grok-4',
      'DeepSeek-V3',
      'model-router',
      'my-gpt-4o',
      'gpt',
    ])
      expect([model, providerOf(model)]).toEqual([model, null]);
  });

  it('is said by the configuration before it, the longest of its names first', () => {
    const given =
      'my-*=anthropic, my-gpt*=openai ,MY-GPT-CLAUDE=anthropic,*-large=openai,gpt-claude*=anthropic';
    expect(providerOf('my-model', given)).toBe('anthropic');
    expect(providerOf('My-GPT-4o', given)).toBe('openai');
    expect(providerOf('my-gpt-claude', given)).toBe('anthropic');
    expect(providerOf('Mistral-Large', given)).toBe('openai');
    expect(providerOf('gpt-claude-router', given)).toBe('anthropic');
    expect(providerOf('gpt-4o', given)).toBe('openai');
    expect(providerOf('gpt-4o', '*=anthropic')).toBe('anthropic');
    expect(providerOf('a', 'a*a=openai')).toBeNull();
  });

  it('may be one that only the configuration knows', () => {
    expect(providerOf('Llama-4', 'Llama-*=Meta', 'meta=within')).toBe('meta');
    expect(readProviders({ countingRules: 'openai=apart' }).ruleOf('gpt-4o')?.apart).toContain(
      'cachedPrompt',
    );
    expect(BUILT_IN_PROVIDERS.ruleOf('gpt-4o')?.apart).toEqual([]);
  });

  it('is refused with the words that are wrong, all at once', () => {
    expect(
      faultsOf({
        modelProviders: 'gpt-4o,=openai,a=meta,b*c*d=openai,e=openai,E =anthropic,azure/*=openai',
        countingRules: 'mistral=inside,cohere',
      }),
    ).toEqual([
      'COUNTING_RULES says "cohere", which is not name=value',
      'COUNTING_RULES says "mistral=inside"; a rule is within, apart, apart/with-cache or apart/without-cache',
      'MODEL_PROVIDERS says "gpt-4o", which is not name=value',
      'MODEL_PROVIDERS says "=openai", which is not name=value',
      'MODEL_PROVIDERS says "E" is openai and anthropic',
      'MODEL_PROVIDERS names the provider "meta", which has no rule; known are anthropic, openai, and COUNTING_RULES adds others',
      'MODEL_PROVIDERS has more than one * in "b*c*d"',
      'MODEL_PROVIDERS says "azure/*", of which nothing is left: a prefix such as azure/ is no part of a model\'s name; write * if every model is meant',
    ]);
  });
});
