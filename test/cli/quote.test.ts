import { expect, it } from 'vitest';
import { readRequest } from '../../src/quotes/command.ts';

it('names the deployment with each usage, and nothing that was not said', () => {
  expect(readRequest({ usage: ['gpt-4o:1000:20', 'o4-mini:5:5:1'], deployment: 'ptu-1' })).toEqual({
    usage: [
      { model: 'gpt-4o', promptTokenCount: '1000', completionTokenCount: '20', deployment: 'ptu-1' },
      {
        model: 'o4-mini',
        promptTokenCount: '5',
        completionTokenCount: '5',
        cachedPromptTokenCount: '1',
        deployment: 'ptu-1',
      },
    ],
  });
  expect(readRequest({ usage: ['gpt-4o:1000:20'] })).toEqual({
    usage: [{ model: 'gpt-4o', promptTokenCount: '1000', completionTokenCount: '20' }],
  });
});

it('says what of a usage is audio, images or written to the cache', () => {
  const usage = [
    'gpt-4o-audio-preview:600:900:prompt_audio=500:completion_audio=800',
    'x:9:9:5:prompt_image=0',
  ];
  expect(readRequest({ usage })).toEqual({
    usage: [
      {
        model: 'gpt-4o-audio-preview',
        promptTokenCount: '600',
        completionTokenCount: '900',
        audioPromptTokenCount: '500',
        audioCompletionTokenCount: '800',
      },
      {
        model: 'x',
        promptTokenCount: '9',
        completionTokenCount: '9',
        cachedPromptTokenCount: '5',
        imagePromptTokenCount: '0',
      },
    ],
  });
});

it.each([
  [{ like: 'northwind', deployment: 'ptu-1' }, '--deployment'],
  [{ usage: ['gpt-4o:1:1'], period: '2026-10' }, '--period'],
  [{ usage: ['gpt-4o:1'] }, '--usage'],
  [{ usage: ['gpt-4o:1:1:1:1'] }, '--usage'],
  [{ usage: ['gpt-4o:1:1:audio=1'] }, '--usage'],
  [{ usage: ['gpt-4o:1:1:prompt_audio='] }, '--usage'],
  [{ usage: ['gpt-4o:1:1:prompt_audio=1=2'] }, '--usage'],
  [{ users: [':5'] }, '--users'],
  [{ usage: ['gpt-4o:1:1'], swap: ['gpt-4o'] }, '--swap'],
])('refuses %j by the name of the option', (options, field) => {
  expect(() => readRequest(options)).toThrow(`${field}: `);
});
