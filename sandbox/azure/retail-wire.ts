import type { ShownPrice } from './retail-state.ts';

/** A row of the list: its fields for filters, and the literal of its price. */
export interface RetailWireRow {
  fields: Record<string, unknown>;
  priceLiteral: string;
  tierLiteral: string;
}

const LOCATIONS: Record<string, string> = {
  eastus2: 'US East 2',
  swedencentral: 'SE Central',
  westeurope: 'EU West',
};

/** One row for each region that sells the meter. */
export function retailRows(prices: readonly ShownPrice[], currency: string): RetailWireRow[] {
  return prices.flatMap(({ meter, retailPrice, effectiveMs }) =>
    meter.regions.map((armRegionName) => ({
      fields: {
        currencyCode: currency,
        ...(meter.reservationTerm === undefined ? {} : { reservationTerm: meter.reservationTerm }),
        armRegionName,
        location: LOCATIONS[armRegionName] ?? armRegionName,
        effectiveStartDate: `${new Date(effectiveMs).toISOString().slice(0, 19)}Z`,
        meterId: meter.meterId,
        meterName: meter.meterName,
        productId: `SANDBOX${meter.meterId.slice(-5)}`,
        skuId: `SANDBOX${meter.meterId.slice(-5)}/0001`,
        productName: meter.productName,
        skuName: meter.meterName.replace(/ (1M )?(Tokens|Unit|Images|Second|Calls)$/, ''),
        serviceName: 'Foundry Models',
        serviceId: 'DZH318Z0CRHP',
        serviceFamily: 'AI + Machine Learning',
        unitOfMeasure: meter.unitOfMeasure,
        type: meter.type,
        isPrimaryMeterRegion: armRegionName === meter.regions[0],
        armSkuName: '',
      },
      priceLiteral: serviceLiteral(retailPrice),
      tierLiteral: serviceLiteral(meter.tierMinimumUnits ?? '0'),
    })),
  );
}

/** One page, its prices as literals and not by way of a float. */
export function renderRetailPage(page: {
  rows: readonly RetailWireRow[];
  count: number;
  currency: string;
  nextLink: string | null;
}): string {
  const items = page.rows.map(({ fields, priceLiteral, tierLiteral }) => {
    const numbers = `"tierMinimumUnits":${tierLiteral},"retailPrice":${priceLiteral},"unitPrice":${priceLiteral},`;
    return `{${numbers}${JSON.stringify(fields).slice(1)}`;
  });
  return (
    `{"BillingCurrency":${JSON.stringify(page.currency)},"CustomerEntityId":"Default","CustomerEntityType":"Retail",` +
    `"Items":[${items.join(',')}],"NextPageLink":${JSON.stringify(page.nextLink)},"Count":${page.count}}`
  );
}

/** As the service writes numbers: whole ones with `.0`, those below 0.0001 with an exponent. */
export function serviceLiteral(decimal: string): string {
  const [whole = '0', fraction = ''] = decimal.split('.');
  const digits = fraction.replace(/0+$/, '');
  const leadingZeros = /^0*/.exec(digits)?.[0].length ?? 0;
  if (Number(whole) === 0 && digits !== '' && leadingZeros >= 4) {
    const mantissa = digits.slice(leadingZeros);
    const exponent = String(leadingZeros + 1).padStart(2, '0');
    return `${mantissa[0]}${mantissa.length > 1 ? `.${mantissa.slice(1)}` : ''}E-${exponent}`;
  }
  return `${whole}.${digits === '' ? '0' : digits}`;
}
