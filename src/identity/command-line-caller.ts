import { hostname, userInfo } from 'node:os';
import type { ApiCaller } from '../platform/http/dependencies.ts';

/** Who types: whoever may read the ledger's address may do everything, and is known by the system's own names. */
export function commandLineActor(): string {
  return `command line (${userName()}@${hostname()})`;
}

/** The same as the one who makes the requests of a command, in this process. */
export function commandLineCaller(): ApiCaller {
  return { actor: commandLineActor(), name: 'command line', scopes: ['admin'] };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers often run as a number that has no name.
    return String(process.getuid?.() ?? 'unknown');
  }
}
