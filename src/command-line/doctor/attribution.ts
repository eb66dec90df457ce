import { readLargeCustomers, SUBJECT_BYTES_MAX } from '../../catalog/attribution.ts';
import { readAttributionSummary } from '../../catalog/attribution-summary.ts';
import type { AttributionReason } from '../../catalog/attributions.ts';
import type { Config } from '../../platform/config.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { groupDigits } from '../../platform/terminal/output.ts';
import type { Finding } from './checks.ts';

const FIXES: Record<AttributionReason, string | null> = {
  chosen: null,
  too_many_subjects:
    'Nothing: billing needs no attribution of OpenMeter. Its own reports lack these customers.',
  active_subscription: 'End the subscription in OpenMeter, if its own reports are to show all users of them.',
  name_taken:
    'See the customer (GET /v1/customers/{id}) for both names, and rename one of them in OpenMeter.',
  refused: 'See the customer (GET /v1/customers/{id}) for what OpenMeter said, and correct it there.',
  failed: 'See the customer (GET /v1/customers/{id}); lower OPENMETER_SUBJECTS_MAX if it has many users.',
};

/** How many users of a customer OpenMeter gets, whom it does not have, and who is near the limit. */
export async function checkAttribution(database: LedgerDatabase, config: Config): Promise<Finding[]> {
  const system = 'openmeter';
  const subjectsMax = config.OPENMETER_SUBJECTS_MAX;
  const { summary, large } = await readSnapshot(database, async (snapshot) => ({
    summary: await readAttributionSummary(snapshot),
    large: await readLargeCustomers(snapshot, subjectsMax),
  }));
  return [
    {
      system,
      verdict: 'good',
      what: `it gets up to ${groupDigits(subjectsMax)} users of a customer (OPENMETER_SUBJECTS_MAX), or ${groupDigits(SUBJECT_BYTES_MAX / 1_000)} kB of their ids; it breaks at about 45,000, or 1 MB`,
    },
    ...summary.map(({ reason, customerCount, customerIds }): Finding => {
      const fix = FIXES[reason];
      const what = `${customerCount} customers are attributed by the ledger (${reason}): ${customerIds.join(', ')}${customerCount > 10n ? ', …' : ''}`;
      return fix === null ? { system, verdict: 'good', what } : { system, verdict: 'look', what, fix };
    }),
    ...large.map(
      ({ customerId, subjectCount }): Finding => ({
        system,
        verdict: 'look',
        what: `customer ${customerId} has ${groupDigits(subjectCount)} users, nearly more than OpenMeter gets`,
        fix: 'Nothing: above the limit the ledger alone attributes its usage, and billing goes on.',
      }),
    ),
  ];
}
