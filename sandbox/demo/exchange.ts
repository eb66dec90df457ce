import type { JobDependencies } from '../../jobs/dependencies.ts';
import { importExchangeRates } from '../../src/costs/exchange/rates.ts';
import { addMs, DAY_MS } from '../../src/platform/clock.ts';
import type { DemoSettings } from './settings.ts';

/** About what the sandbox's prices in euros are of those in dollars. */
const DOLLARS_FOR_A_EURO = '1.0870';

/** Gives the ledger a rate for each day of the traffic, so that customers billed in euros have a margin. */
export async function storeDemoRates(
  { database, clock }: Pick<JobDependencies, 'database' | 'clock'>,
  { startMs, dayCount }: DemoSettings,
): Promise<void> {
  const days = Array.from({ length: dayCount }, (_, day) =>
    addMs(new Date(startMs), day * DAY_MS)
      .toISOString()
      .slice(0, 10),
  );
  await importExchangeRates(database, {
    text: [
      'day,base,currency,rate,source',
      ...days.map((day) => `${day},EUR,USD,${DOLLARS_FOR_A_EURO},demo`),
    ].join('\n'),
    supersede: false,
    allowAbsurd: false,
    dryRun: false,
    actor: 'demo',
    now: clock.now(),
  });
}
