import type { UpstreamError } from '../platform/errors.ts';
import type { NameHolder } from './customer-listing.ts';
import type { CustomerProblem } from './port.ts';

const BY_LEDGER = 'The ledger attributes its usage meanwhile; billing needs nothing of it.';
const quote = (text: string) => JSON.stringify(text);

/** Its subject keys would change, and a subscription forbids it. */
export function frozenKeys(customerId: string): CustomerProblem {
  return {
    customerId,
    reason: 'active_subscription',
    message: `Customer ${customerId} has an active subscription in OpenMeter, which freezes its subject keys`,
    fix: `${BY_LEDGER} The keys follow when the subscription there has ended.`,
  };
}

/** Names that this customer should have and others hold; told by the first of them. */
export function takenNames(
  customerId: string,
  taken: readonly { name: string; holder: NameHolder }[],
): CustomerProblem | null {
  const [first] = taken;
  if (first === undefined) return null;
  const { name, holder } = first;
  const others = taken.length === 1 ? '' : `, and ${taken.length - 1} more names are taken`;
  return {
    customerId,
    reason: 'name_taken',
    message: `Customer ${customerId} lacks ${quote(name)} in OpenMeter: it is ${holder.isKey ? 'the key' : 'a subject key'} of customer ${holder.label} there${others}`,
    fix: `${BY_LEDGER} Change customer ${holder.label} in OpenMeter, or assign the user to it in Tallystick too.`,
  };
}

/** OpenMeter judged the customer and said no. */
export function refusedCustomer(customerId: string, error: UpstreamError): CustomerProblem {
  const detail = typeof error.context.detail === 'string' ? `: ${error.context.detail}` : '';
  return {
    customerId,
    reason: 'refused',
    message: `OpenMeter refused customer ${customerId} (${error.statusCode ?? 'no status'}${detail})`,
    fix: `${BY_LEDGER} Look at the detail and correct this customer in OpenMeter.`,
  };
}

/** OpenMeter took others and broke on this one. */
export function failedCustomer(
  customerId: string,
  subjectKeyCount: number,
  error: UpstreamError,
): CustomerProblem {
  const reason = error.statusCode ?? error.context.reason ?? 'no answer';
  const detail = typeof error.context.detail === 'string' ? `: ${error.context.detail}` : '';
  return {
    customerId,
    reason: 'failed',
    message: `OpenMeter fails on customer ${customerId}, which has ${subjectKeyCount} subject keys (${String(reason)}${detail})`,
    fix: `${BY_LEDGER} It is tried again; if it has many users, let the ledger attribute it for good (PUT /v1/customers/${customerId}, "attribution": "ledger") or lower OPENMETER_SUBJECTS_MAX.`,
  };
}
