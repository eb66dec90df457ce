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

it.each([
  [{ like: 'northwind', deployment: 'ptu-1' }, '--deployment'],
  [{ usage: ['gpt-4o:1:1'], period: '2026-10' }, '--period'],
  [{ usage: ['gpt-4o:1'] }, '--usage'],
  [{ users: [':5'] }, '--users'],
  [{ usage: ['gpt-4o:1:1'], swap: ['gpt-4o'] }, '--swap'],
])('refuses %j by the name of the option', (options, field) => {
  expect(() => readRequest(options)).toThrow(`${field}: `);
});
