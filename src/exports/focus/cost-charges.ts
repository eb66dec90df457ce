import { type Conversions, conversionFor, costInMinor } from '../../../pricing/exchange/rates.ts';
import { formatDecimal, minorUnitDigits, PICO_DIGITS } from '../../../pricing/money.ts';
import { TOKEN_WORDS } from '../../../pricing/usage/words.ts';
import type { DailyCostRow } from '../../costs/daily-cost-rows.ts';
import { readMonth, windowOfDay } from '../../platform/clock.ts';
import {
  amountCells,
  instantCell,
  keyValueCell,
  periodCells,
  picoCell,
  priceCells,
  SERVICE_CELLS,
  tokenCell,
  tokenCells,
} from './cells.ts';
import type { FocusRow } from './columns.ts';

const PROVIDER = 'Microsoft';

/** Who pays the provider, as its own bill says it. */
export interface BillingAccount {
  id: string;
  name: string | null;
}

/**
 * A daily cost as a charge of the cloud's: the operator pays it, and the customer whose usage it was is the sub account.
 * Nothing says what Azure invoiced, so that no charge has an invoice.
 */
export function costCharge(
  cost: DailyCostRow,
  { account, conversions }: { account: BillingAccount; conversions: Conversions },
): FocusRow {
  const { start, end } = monthOf(cost.day);
  const { tokenType, tokenCount, costPicoUsd, deployment, model, feature } = cost;
  const isBought = cost.kind !== 'tokens';
  const skuId = isBought ? `${deployment}/provisioned` : `${model}/${tokenType}`;
  return {
    ...amountCells(picoCell(costPicoUsd ?? 0n)),
    ...(isBought ? capacityCells(cost) : tokenCells(tokenCount, costPicoUsd)),
    BillingAccountId: account.id,
    BillingAccountName: account.name,
    BillingAccountType: 'Billing Account',
    BillingCurrency: 'USD',
    BillingPeriodStart: instantCell(start),
    BillingPeriodEnd: instantCell(end),
    ...periodCells(windowOfDay(cost.day)),
    ChargeCategory: 'Usage',
    ChargeFrequency: 'Usage-Based',
    ChargeDescription: describe(cost),
    ConsumedQuantity: tokenCell(tokenCount),
    ConsumedUnit: 'Tokens',
    PricingCategory: 'Standard',
    HostProviderName: PROVIDER,
    InvoiceIssuerName: PROVIDER,
    ProviderName: PROVIDER,
    PublisherName: PROVIDER,
    ServiceProviderName: PROVIDER,
    ...SERVICE_CELLS,
    ServiceName: 'Azure OpenAI',
    ...(deployment === ''
      ? {}
      : { ResourceId: deployment, ResourceName: deployment, ResourceType: 'Model deployment' }),
    SkuId: skuId,
    // A price that nobody knows has no id of its own.
    SkuPriceId: cost.priceReference ?? `${skuId}:unknown`,
    SkuMeter: isBought ? 'Provisioned throughput' : wordsOf(cost),
    SkuPriceDetails: isBought ? null : keyValueCell({ x_Model: model, x_TokenType: tokenType }),
    ...(cost.customerId === null
      ? {}
      : { SubAccountId: cost.customerId, SubAccountName: cost.customerName, SubAccountType: 'Customer' }),
    Tags: keyValueCell({ feature, deployment, model }),
    x_CostKind: cost.kind,
    x_CostUnknownReason: cost.reason,
    x_Deployment: orNull(deployment),
    x_Feature: orNull(feature),
    x_Model: orNull(model),
    x_PriceBookVersion: cost.priceBookVersion,
    x_PriceNotes: orNull(cost.priceNotes.join(' ')),
    x_TokenType: tokenType,
    ...revenueCells(cost, conversions),
  };
}

/** Beside a cost in US dollars what the same tokens bring, and what that leaves, in the currency of their customer. */
function revenueCells({ revenue, costPicoUsd }: DailyCostRow, conversions: Conversions) {
  if (revenue === null) return {};
  const { currency, picoMinor } = revenue;
  const cell = (amount: bigint) => formatDecimal(amount, PICO_DIGITS + minorUnitDigits(currency), 1);
  const conversion = conversionFor(currency, conversions);
  return {
    x_Revenue: cell(picoMinor),
    x_RevenueCurrency: currency.toUpperCase(),
    x_Margin:
      costPicoUsd === null || typeof conversion === 'string'
        ? null
        : cell(picoMinor - costInMinor(costPicoUsd, conversion)),
  };
}

/** Bought by the hour, whoever uses it: the day's share is the one unit, and its price the cost. */
function capacityCells({ kind, costPicoUsd, priceReference }: DailyCostRow) {
  return {
    ...priceCells(costPicoUsd === null ? null : picoCell(costPicoUsd)),
    PricingQuantity: '1.0',
    PricingUnit: 'Days',
    CapacityReservationId: priceReference,
    CapacityReservationStatus: priceReference === null ? null : kind === 'idle' ? 'Unused' : 'Used',
  };
}

function describe(cost: DailyCostRow): string {
  const { kind, deployment, model, feature, reason } = cost;
  if (kind === 'idle') return `Throughput bought for ${deployment} that nobody used`;
  const what = `${wordsOf(cost)} of ${model}${feature === '' ? '' : ` for ${feature}`}`;
  const share = kind === 'provisioned' ? ` as a share of throughput bought for ${deployment}` : '';
  return `${what}${share}${reason === null ? '' : `; what they cost is unknown (${reason}) and counted as 0 here`}`;
}

function wordsOf({ tokenType }: DailyCostRow): string {
  const words = tokenType === null ? 'tokens' : TOKEN_WORDS[tokenType].customer;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function monthOf(day: string) {
  const month = readMonth(day.slice(0, 7));
  if (month === null) throw new RangeError(`"${day}" is no day`);
  return month;
}

const orNull = (text: string) => (text === '' ? null : text);
