import { createHmac } from 'node:crypto';
import type { ApiDependencies } from '../../platform/http/dependencies.ts';
import { readServiceSecret } from '../service-secrets.ts';

/** Name of the generated key in the ledger, for when the configuration has none. */
const SECRET_NAME = 'link_signing_key';
/** What `LINK_SIGNING_KEY_PREVIOUS` says for the generated key. */
const LEDGER = 'ledger';

export interface LinkKey {
  /** A fingerprint, by which links say who signed them. */
  id: string;
  secret: string;
}

/** The key that signs, and one that still counts while it is exchanged. */
export interface LinkKeys {
  signing: LinkKey;
  previous: LinkKey | null;
}

/** The keys of links: configured, else one that all processes on this ledger share. */
export async function readLinkKeys({
  database,
  clock,
  settings,
}: Pick<ApiDependencies, 'database' | 'clock' | 'settings'>): Promise<LinkKeys> {
  const { linkSigningKey, linkSigningKeyPrevious: previous } = settings ?? {};
  const generated = () => readServiceSecret(database, SECRET_NAME, clock.now());
  const signing = linkSigningKey ?? (await generated());
  const before = previous === LEDGER ? await generated() : previous;
  return {
    signing: keyOf(signing),
    previous: before === undefined || before === signing ? null : keyOf(before),
  };
}

/** Both, the one that signs first. */
export function allKeys({ signing, previous }: LinkKeys): LinkKey[] {
  return previous === null ? [signing] : [signing, previous];
}

function keyOf(secret: string): LinkKey {
  return { id: createHmac('sha256', secret).update('key-id').digest('hex').slice(0, 12), secret };
}
