import type { ProvisionedTerms } from '../../pricing/rating/provisioned.ts';

/** 50 units for 50.00 an hour that take 7,500,000 weighted tokens: the hour that the documents work out. */
export const CAPACITY_TERMS: ProvisionedTerms = {
  unitCount: 50,
  unitIncrement: 50,
  hourlyUsdPerUnit: '1.00',
  reservedUnitCount: 0,
  reservedHourlyUsdPerUnit: null,
  tokensPerMinutePerUnit: 2_500,
  completionWeight: '4',
  cachedWeight: '0',
  idlePolicy: 'overhead',
};
