import type { ApiDependencies } from '../platform/http/dependencies.ts';
import type { EnforcementState } from './state.ts';

/** What gateways are told from, beside what every route works with. */
export interface EnforcementDependencies extends ApiDependencies {
  enforcement: EnforcementState;
}
