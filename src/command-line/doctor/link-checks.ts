import { readLinkKeys } from '../../identity/links/keys.ts';
import { readKeyStanding } from '../../links/key-standing.ts';
import { countLinks } from '../../links/list.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readApiSettings } from '../../platform/http/dependencies.ts';
import type { Finding } from './finding.ts';

const NOTHING_LEFT: Finding = {
  system: 'ledger',
  verdict: 'look',
  what: 'no living link hangs on LINK_SIGNING_KEY_PREVIOUS any more, as far as links are listed',
  fix: 'Remove it: docs/links.md.',
};

/** On which signing key the links hang that were sent and live. */
export async function checkLinkKeys(
  database: LedgerDatabase,
  config: Config,
  clock: Clock,
): Promise<Finding[]> {
  const now = clock.now();
  const findings: Finding[] = [];
  // Doctor makes nothing, and the key of the ledger is made with the first link.
  if ((await countLinks(database, { state: 'living', now })) === 0) {
    return config.LINK_SIGNING_KEY_PREVIOUS === undefined ? [] : [NOTHING_LEFT];
  }
  const keys = await readLinkKeys({ database, clock, settings: readApiSettings(config) });
  const { previous, gone } = await readKeyStanding(database, keys, now);
  if (previous.lastExpiresAt !== null) {
    findings.push({
      system: 'ledger',
      verdict: 'good',
      what: `${previous.linkCount} living link(s) hang on LINK_SIGNING_KEY_PREVIOUS, the last until ${previous.lastExpiresAt.toISOString()}`,
    });
  } else if (keys.previous !== null) {
    findings.push(NOTHING_LEFT);
  }
  if (gone.lastExpiresAt !== null) {
    findings.push({
      system: 'ledger',
      verdict: 'look',
      what: `${gone.linkCount} link(s) that were sent were signed by a key that is not configured, and open nothing`,
      fix: 'Set LINK_SIGNING_KEY_PREVIOUS to the key before, or make new links where they are missed: docs/links.md.',
    });
  }
  return findings;
}
