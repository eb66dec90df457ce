import type { RecordedChange } from '../../anomalies/changes/store.ts';

export const FEATURES_PATH = '/console/features';

type ChangeMade = RecordedChange['change'];

/** A change that is not made yet, or not recorded. */
type Proposed =
  | Pick<Extract<ChangeMade, { kind: 'swap' }>, 'kind' | 'feature' | 'fromModel' | 'toModel'>
  | Pick<Extract<ChangeMade, { kind: 'cache' }>, 'kind' | 'feature' | 'subject'>;

/** The form that records a change, filled in. */
export function recordHref({ kind, feature, ...more }: Proposed): string {
  return `${FEATURES_PATH}?${new URLSearchParams({ kind, changedFeature: feature, ...more })}#record`;
}
