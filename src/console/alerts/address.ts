export const ALERTS_PATH = '/console/alerts';
export const ALERT_PATH = `${ALERTS_PATH}/:alertId`;

export function alertPath(alertId: bigint): string {
  return `${ALERTS_PATH}/${alertId}`;
}
