import { OpenMeter } from '@openmeter/sdk';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Harness, hours, startHarness, usageEventBody } from './harness.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness({ flushDelayMs: 0 });
  await h.openMeter.ensureMeters();
});
afterAll(() => h.close());

const dateLike = '2026-11-21T10:00:00Z';
const tenKilobytesOfEmoji = '\u{1F9FE}'.repeat(2_560);

test('a subject or model that looks like a date, or is 10 kB of emoji, comes back as it was sent', async () => {
  const cases = [
    { id: dateLike, subject: dateLike, model: '2026-11-21T10:00:00.000+02:00' },
    { id: 'emoji', subject: tenKilobytesOfEmoji, model: '\u{1F469}\u200D\u{1F680}' },
    { id: 'plain', subject: ' spaces, "quotes"\n', model: '' },
  ];
  await h.openMeter.ingestEvents(cases.map((fields) => usageEventBody(fields)));
  const rows = await h.openMeter.queryHourly('tallystick_prompt_tokens', hours(0, 1));
  for (const { subject, model } of cases) {
    expect(rows).toContainEqual(expect.objectContaining({ subject, model, value: 100n }));
  }
  const found = await h.openMeter.findEvents({ eventIds: cases.map(({ id }) => id), window: hours(0, 1) });
  expect([...found]).toEqual(expect.arrayContaining([[dateLike, 1]]));
  expect(found.size).toBe(3);
});

test('the defect is real: the plain SDK turns such a subject into a Date', async () => {
  await h.openMeter.ingestEvents([
    usageEventBody({ id: 'defect', subject: dateLike, time: '2026-11-01T01:10:00Z' }),
  ]);
  const plain = new OpenMeter({ baseUrl: h.url });
  const answer = await plain.meters.queryPost('tallystick_prompt_tokens', {
    from: hours(1, 2).start,
    to: hours(1, 2).end,
    windowSize: 'HOUR',
    groupBy: ['subject'],
  });
  expect(answer).toMatchObject({ data: [{ subject: expect.any(Date) }] });
});

test('any text survives the way there and back', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.constantFrom('__proto__', 'constructor', 'null', 'NaN', '2026-11-21T10:00:00', '1e3'),
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(text, text, async (subject, model) => {
      run += 1;
      const day = String(2 + (run % 27)).padStart(2, '0');
      const start = new Date(`2026-12-${day}T${String(Math.floor(run / 27)).padStart(2, '0')}:00:00Z`);
      const window = { start, end: new Date(start.getTime() + 3_600_000) };
      await h.openMeter.ingestEvents([
        usageEventBody({ id: `p${run}`, subject, model, time: start.toISOString() }),
      ]);
      const rows = await h.openMeter.queryHourly('tallystick_completion_tokens', window);
      expect(rows).toEqual([
        { windowStart: start, subject, model, feature: 'chat', deployment: 'gpt-4o-global', value: 20n },
      ]);
    }),
    { numRuns: 60 },
  );
});
