import type { DeploymentType } from './rows.ts';

/** Without a price of their own these are priced as global, which is said; provisioned never is. */
export const STAND_IN_NOTES = {
  data_zone: 'priced_as_global_for_want_of_a_data_zone_price',
  regional: 'priced_as_global_for_want_of_a_regional_price',
  batch: 'priced_as_global_for_want_of_a_batch_price',
  developer: 'priced_as_global_for_want_of_a_developer_price',
} as const satisfies Partial<Record<DeploymentType, string>>;

/** That another price stands in for one that the book does not have. */
export type StandInNote = (typeof STAND_IN_NOTES)[keyof typeof STAND_IN_NOTES];

/** What is said where the global price stands in for that of a type; null: it never does. */
export function standInNoteOf(deploymentType: DeploymentType): StandInNote | null {
  const notes: Partial<Record<DeploymentType, StandInNote>> = STAND_IN_NOTES;
  return notes[deploymentType] ?? null;
}
