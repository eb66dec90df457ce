import { TallystickError } from '../../src/platform/errors.ts';
import { findLastUsageOfOthers, findOtherSources } from '../../src/usage/collection/source-switch.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import type { JobDependencies } from '../dependencies.ts';

const FIX =
  'To switch sources, end the old one at a whole hour (USAGE_SOURCE_UNTIL), and begin the new one there (USAGE_SOURCE_SINCE): docs/coverage.md.';

/**
 * Refuses to bill usage that another source has told already: the same request has other ids there, so it would
 * be billed twice. A ledger that knows another source needs the hour of the switch, and no usage of the other
 * source may lie behind it.
 * @throws TallystickError CONFIG
 */
export async function refuseSecondSource(deps: JobDependencies): Promise<void> {
  const { database, source, settings } = deps;
  const others = await findOtherSources(database, source.name);
  if (others.length === 0) return;
  const { usageSince } = settings;
  const refuse = (message: string) =>
    new TallystickError(message, { code: 'CONFIG', retry: false, context: { others }, fix: FIX });
  if (usageSince === undefined) {
    throw refuse(
      `This ledger was billed from ${others.join(', ')}; ${source.name} would bill the same usage again.`,
    );
  }
  // Once it has begun, the bounds of both sources keep them apart.
  if ((await readWatermark(database, source.name)) !== null) return;
  const last = await findLastUsageOfOthers(database, { source: source.name, since: usageSince });
  if (last !== null) {
    throw refuse(
      `${others.join(', ')} has told usage up to ${last.toISOString()}, after USAGE_SOURCE_SINCE: ${source.name} would bill it again.`,
    );
  }
}
