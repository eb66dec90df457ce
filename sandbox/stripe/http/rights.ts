import { StripeRefusal } from './refusal.ts';

/** The account behind every key. */
const ACCOUNT_ID = 'acct_1TallystickSandbox';

/** Which right a call needs, by the beginning of its path: as Stripe names them in its refusals (`rak_invoice_write`). */
const RESOURCES: readonly (readonly [string, string])[] = [
  ['/v1/billing/meter_event', 'billing_meter_event'],
  ['/v1/billing/meters', 'billing_meter'],
  ['/v1/invoiceitems', 'invoice'],
  ['/v1/invoices', 'invoice'],
  ['/v1/credit_notes', 'credit_note'],
  ['/v1/customers', 'customer'],
  ['/v1/coupons', 'coupon'],
  ['/v1/billing/credit_', 'billing_credit'],
  ['/v1/tax_rates', 'tax_rate'],
  ['/v1/tax/settings', 'tax_settings'],
  ['/v1/tax/', 'tax'],
  ['/v1/products', 'product'],
  ['/v1/prices', 'plan'],
  ['/v1/subscription', 'subscription'],
  ['/v1/events', 'event'],
  ['/v2/core/events', 'event'],
  ['/v1/webhook_endpoints', 'webhook'],
  ['/v1/test_helpers', 'test_clock'],
];

/** @throws StripeRefusal 403 when a restricted key lacks the right; before any parameter is looked at */
export function checkRight(
  key: string,
  rights: readonly string[],
  call: { method: string; path: string },
): void {
  const resource = RESOURCES.find(([prefix]) => call.path.startsWith(prefix))?.[1] ?? 'account';
  // A preview is a POST and changes nothing.
  const isRead = call.method === 'GET' || call.path.endsWith('/create_preview');
  if (rights.includes(`${resource}_write`) || (isRead && rights.includes(`${resource}_read`))) return;
  const needed = `rak_${resource}_${isRead ? 'read' : 'write'}`;
  throw new StripeRefusal(403, {
    message:
      `The provided key '${key.slice(0, 8)}****' does not have the required permissions for this endpoint on account ` +
      `'${ACCOUNT_ID}'. Having the '${needed}' permission would allow this request to continue.`,
  });
}

/** @throws StripeRefusal 403 when the call names an account that the key may not act for */
export function checkAccount(key: string, account: string | undefined): void {
  if (account === undefined || account === ACCOUNT_ID) return;
  throw new StripeRefusal(403, {
    code: 'account_invalid',
    message:
      `The provided key '${key.slice(0, 8)}****' does not have access to account '${account}' (or that account does ` +
      'not exist). Application access may have been revoked.',
  });
}
