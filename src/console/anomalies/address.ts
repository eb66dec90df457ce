export const ANOMALIES_PATH = '/console/anomalies';
export const FINDING_PATH = `${ANOMALIES_PATH}/:findingId`;

export function findingPath({ findingId }: { findingId: bigint }): string {
  return `${ANOMALIES_PATH}/${findingId}`;
}
