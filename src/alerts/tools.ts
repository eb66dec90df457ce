import type { AlertSettings } from '../platform/alert-variables.ts';

/** What sending needs beside the ledger. */
export interface AlertTools {
  settings: AlertSettings;
  /** How browsers reach the service; absent: messages have no links. */
  publicUrl?: string | undefined;
  /** Usage that waits longer than this is told of. */
  quarantineAfterMs: number;
  /** A receiver has so long for its answer; absent: ten seconds. */
  timeLimitMs?: number | undefined;
}
