import type { ApiBench } from '../api/setup.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';

/** What somebody could call a customer, a feature or a user to do harm or to break a page. */
export const HOSTILE_NAMES = [
  '<script>alert(document.cookie)</script>',
  '"><img src=x onerror=alert(1)>',
  '\u202Eevil\u202C مرحبا',
  'x'.repeat(500),
  "'; drop table customers; --",
  '=HYPERLINK("http://evil.example")',
];

/** Usage that waits at several stages, steps that ran, a drift, two sources, and acts: something on every part of a page. */
export async function fillConsole({ ledger, clock }: ApiBench): Promise<void> {
  const { database } = ledger;
  const now = clock.now();
  await insertCatalog(database);
  await insertUsage(database, [
    ...HOSTILE_NAMES.map((subject, index) => ({
      hour: `2026-11-20T0${index}:00:00Z`,
      tokens: BigInt(10 ** (index + 1)),
      subject,
      model: index === 3 ? 'm'.repeat(500) : 'gpt-4o',
      customer: null,
      quarantine: 'no_customer',
    })),
    { hour: '2026-11-20T11:00:00Z', tokens: 7n, model: 'mystery', quarantine: 'no_binding' },
    { hour: '2026-11-20T12:00:00Z', tokens: 5n, push: { meterId: 'mtr_prompt', status: 'refused' } },
    { hour: '2026-11-21T08:00:00Z', tokens: 1_204n, push: { meterId: 'mtr_prompt', status: 'delivered' } },
  ]);
  await database
    .insertInto('watermarks')
    .values({ source: 'metrics', position: new Date(now.getTime() - 14 * 60_000), updated_at: now })
    .execute();
  await database
    .insertInto('audit_log')
    .values(
      Array.from({ length: 120 }, (_, index) => ({
        actor: HOSTILE_NAMES[index] ?? `key:finance key (key_${index % 3})`,
        action: index % 2 === 0 ? 'quarantine.retry' : 'plan.create',
        target: HOSTILE_NAMES[index] ?? `usage-${index}`,
        details: JSON.stringify({ before: null, after: HOSTILE_NAMES[index] ?? index }),
        created_at: new Date(now.getTime() - (120 - index) * 60_000),
      })),
    )
    .execute();
}
