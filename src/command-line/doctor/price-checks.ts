import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readPriceBookAge } from '../../prices/age.ts';
import type { Finding } from './finding.ts';

/** Whether what we pay is still what the price book says: how old its lists are. */
export async function checkPriceBook(
  database: LedgerDatabase,
  warnDays: number,
  now: Date,
): Promise<Finding[]> {
  const { version, asOf, ageDays } = await readPriceBookAge(database, now);
  if (asOf === null || ageDays === null) {
    return [
      {
        system: 'ledger',
        verdict: 'look',
        what: `no price of the price book ${version} names the day of its list`,
        fix: 'Give listedAt where prices are added: docs/pricing.md.',
      },
    ];
  }
  if (ageDays <= warnDays) {
    return [{ system: 'ledger', verdict: 'good', what: `price book ${version}, prices as of ${asOf}` }];
  }
  return [
    {
      system: 'ledger',
      verdict: 'look',
      what: `the prices of the price book ${version} are as of ${asOf}, ${ageDays} days ago; PRICE_BOOK_WARN_DAYS is ${warnDays}`,
      fix: 'Renew it: "tallystick prices sync", or "tallystick prices import" with newer prices (docs/pricing.md).',
    },
  ];
}
