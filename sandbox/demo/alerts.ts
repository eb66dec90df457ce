import { createRoute, listRoutes } from '../../src/alerts/route-store.ts';
import { RouteBody, readTerms } from '../../src/alerts/schemas.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

const NAME = 'The demo\u2019s mailbox';

/** Everything that there is to tell goes to the sandbox's mailbox, from the first day on; each Monday with a digest. */
export async function createDemoRoute(database: LedgerDatabase, now: Date): Promise<void> {
  const known = await listRoutes(database, { withEnded: true });
  // Who ended it wants none.
  if (known.some(({ name }) => name === NAME)) return;
  await createRoute(database, {
    actor: 'demo',
    now,
    terms: readTerms(
      RouteBody.parse({
        name: NAME,
        channel: 'email',
        emailAddresses: ['ai-platform@example.com'],
        digest: 'week',
      }),
    ),
  });
}
