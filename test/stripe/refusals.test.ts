import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explainRefusal, refusalOf, speakRefusal } from '../../src/stripe/closing/refusals.ts';
import { FIRST_END_MS, openClosing } from './closing-world.ts';

/** Every code that Stripe's SDK documents for an invoice's `last_finalization_error`. */
const CODES = (() => {
  const types = fileURLToPath(new URL('resources/Invoices.d.ts', import.meta.resolve('stripe')));
  const declared = /namespace LastFinalizationError \{\s*type Code = ([^;]+);/.exec(
    readFileSync(types, 'utf8'),
  )?.[1];
  return [...(declared ?? '').matchAll(/'([a-z0-9_]+)'/g)].map(([, code]) => code ?? '');
})();

let world: Awaited<ReturnType<typeof openClosing>>;
beforeAll(async () => {
  world = await openClosing({ customerCount: 1 });
  world.goTo(FIRST_END_MS + 1);
});
afterAll(() => world.close());

test('each documented code of a refused finalization is kept, with its reason and a way out', async () => {
  expect(CODES.length).toBeGreaterThan(150);
  const invoiceId = world.invoiceId();
  const ways = new Map<string, string[]>();
  const refuse = (code: string) =>
    world.standIn.faults.add({
      kind: 'reject',
      code,
      path: `/v1/invoices/${invoiceId}/finalize`,
      count: 1,
    });
  // One of them is a matter of pace, and is waited out in the call.
  for (const code of CODES.filter((known) => known !== 'rate_limit')) {
    refuse(code);
    const error: unknown = await world.invoicing
      .finalizeInvoice(invoiceId, { idempotencyKey: 'close' })
      .catch((caught: unknown) => caught);
    const refusal = refusalOf(error);
    expect(refusal?.code).toBe(code);
    expect(speakRefusal(refusal ?? explainRefusal({ code: null, message: null }))).toContain(`(${code})`);
    ways.set(refusal?.fix ?? '', [...(ways.get(refusal?.fix ?? '') ?? []), code]);
  }
  expect(await world.invoicing.readInvoice(invoiceId)).toMatchObject({ status: 'draft' });
  expect([...ways.keys()].filter((fix) => fix === '')).toEqual([]);
  refuse('rate_limit');
  expect(await world.invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'close' })).toMatchObject({
    invoice: expect.anything(),
  });
  // Most of them say more than where to look the code up.
  const lookedUp = ways.get(explainRefusal({ code: 'code_of_tomorrow', message: null }).fix) ?? [];
  expect(lookedUp.length).toBeLessThan(CODES.length / 5);
});

test.each([
  ['customer_tax_location_invalid', /address/, false],
  ['invalid_tax_location', /address/, false],
  ['stripe_tax_inactive', /Activate Stripe Tax/, false],
  ['tax_id_invalid', /tax ID/, false],
  ['amount_too_large', /within bounds/, false],
  ['amount_too_small', /within bounds/, false],
  ['coupon_expired', /coupon/, false],
  ['service_period_coupon_with_metered_tiered_item_unsupported', /coupon/, false],
  ['invoice_no_payment_method_types', /payment method/, false],
  ['payment_intent_authentication_failure', /payment method/, false],
  ['card_declined', /payment method/, false],
  ['account_invalid', /account in order/, false],
  ['payment_method_provider_timeout', /asked again/, true],
  ['taxes_calculation_failed', /asked again/, true],
  ['failed_tax_calculation', /asked again/, true],
  ['lock_timeout', /asked again/, true],
  ['code_of_tomorrow', /error-codes/, false],
])('%s', (code, fix, passes) => {
  expect(explainRefusal({ code, message: 'why' })).toMatchObject({
    code,
    reason: 'why',
    fix: expect.stringMatching(fix),
    passes,
  });
});
