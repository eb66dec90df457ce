import { expect, it } from 'vitest';
import { SUBJECT_BYTES_MAX, withholdsSubjects } from '../../src/catalog/attribution.ts';

it.each([
  ['few', { subjectCount: 40_000 }, null],
  ['one too many', { subjectCount: 40_001 }, 'too_many_subjects'],
  ['long ones', { subjectByteCount: SUBJECT_BYTES_MAX + 1 }, 'too_many_subjects'],
  ['no longer too many, but nearly', { subjectCount: 36_001, hadTooMany: true }, 'too_many_subjects'],
  ['clearly fewer', { subjectCount: 36_000, hadTooMany: true }, null],
  ['chosen', { choice: 'ledger' as const }, 'chosen'],
])('%s', (_, size, outcome) => {
  const few = { choice: 'automatic' as const, subjectCount: 1, subjectByteCount: 10, hadTooMany: false };
  expect(withholdsSubjects({ ...few, ...size }, 40_000)).toBe(outcome);
});
