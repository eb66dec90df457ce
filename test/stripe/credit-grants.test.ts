import type Stripe from 'stripe';
import { afterEach, describe, expect, test } from 'vitest';
import { createStripe } from '../../src/stripe/client.ts';
import type { TestAccountOptions } from './account.ts';
import { type ClosingWorld, openClosing } from './closing-world.ts';

let world: ClosingWorld;
afterEach(() => (world as ClosingWorld | undefined)?.close());

async function open(options: TestAccountOptions = {}) {
  world = await openClosing(options);
  const { sdk, id: customer, subscriptionId } = world;
  const [item] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data;
  const grant = async (value: number, more: Partial<Stripe.Billing.CreditGrantCreateParams> = {}) =>
    await sdk.billing.creditGrants.create({
      customer,
      name: 'Prepaid',
      amount: { type: 'monetary', monetary: { currency: 'usd', value } },
      applicability_config: { scope: { price_type: 'metered' } },
      ...more,
    });
  const balance = async (grantId: string | null) =>
    await world.billing.readCreditBalance({ stripeCustomerId: customer, currency: 'usd', grantId });
  return { ...world, grant, balance, priceId: item?.price.id ?? '' };
}

describe('grants of billing credits', () => {
  test('are read with all that says when and for what they are used up', async () => {
    const { grant, priceId, billing, id, sdk, clock } = await open();
    const now = Math.floor(clock.nowMs() / 1_000);
    const plain = await grant(1_000);
    const scoped = await grant(2_000, {
      category: 'promotional',
      priority: 3,
      effective_at: now + 60,
      expires_at: now + 3_600,
      applicability_config: { scope: { prices: [{ id: priceId }] } },
    });
    await sdk.billing.creditGrants.voidGrant(plain.id);
    const at = (seconds: number) => new Date(seconds * 1_000);
    const common = { currency: 'usd', createdAt: at(now) };
    expect(await billing.listCreditGrants(id)).toEqual(
      expect.arrayContaining([
        {
          ...common,
          grantId: plain.id,
          priority: 50,
          isPromotional: false,
          effectiveAt: at(now),
          expiresAt: null,
          isVoided: true,
          priceIds: null,
        },
        {
          ...common,
          grantId: scoped.id,
          priority: 3,
          isPromotional: true,
          effectiveAt: at(now + 60),
          expiresAt: at(now + 3_600),
          isVoided: false,
          priceIds: [priceId],
        },
      ]),
    );
  });

  test.each([
    ['same', 'available', 1_000n, 1_000n],
    ['applicable', 'available', 3_000n, 3_000n],
    ['same', 'taken', 1_000n, 700n],
    ['applicable', 'taken', 3_000n, 2_700n],
  ] as const)(
    'are summed by the %s scope, and on drafts are %s',
    async (creditScopes, creditsOnDrafts, ledgerMinor, availableMinor) => {
      const { grant, balance, priceId, draft, useOnSecondDay } = await open({
        creditScopes,
        creditsOnDrafts,
      });
      const prepaid = await grant(1_000);
      // Only for a price that is not used.
      const scoped = await grant(2_000, { applicability_config: { scope: { prices: [{ id: priceId }] } } });
      await useOnSecondDay(1_000_000n);
      await draft();
      expect(await balance(null)).toEqual({ ledgerMinor, availableMinor });
      expect((await balance(prepaid.id)).ledgerMinor).toBe(1_000n);
      expect((await balance(scoped.id)).availableMinor).toBe(2_000n);
    },
  );

  test('may not be read by a key without the right, nor asked for without saying which', async () => {
    const key = 'rk_test_no_credits';
    const { standIn, url, id, sdk } = await open({ restrictedKeys: { [key]: ['invoice_read'] } });
    const restricted = createStripe({ STRIPE_API_KEY: key, STRIPE_API_BASE: url });
    await expect(restricted.listCreditGrants(id)).rejects.toMatchObject({ statusCode: 403 });
    expect(standIn.apiKey).not.toBe(key);
    const ask = (filter: object) =>
      sdk.billing.creditBalanceSummaries.retrieve({ customer: id, filter: filter as never });
    for (const filter of [
      {},
      { type: 'credit_grant' },
      { type: 'credit_grant', credit_grant: 'credgr_none' },
      { type: 'applicability_scope' },
      { type: 'everything' },
    ]) {
      await expect(ask(filter)).rejects.toMatchObject({
        statusCode: expect.toSatisfy((code) => code >= 400),
      });
    }
  });
});
