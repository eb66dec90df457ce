import { formatMinor, minorUnitDigits, PICO_DIGITS } from '../../../pricing/money.ts';
import { TOKEN_WORDS } from '../../../pricing/usage/words.ts';
import type { StoredInvoice } from '../../billing/invoice-lines.ts';
import { windowOfDay } from '../../platform/clock.ts';
import type { InvoiceCharges, UsageCharge } from '../../statements/charges.ts';
import {
  amountCells,
  instantCell,
  keyValueCell,
  periodCells,
  priceCells,
  SERVICE_CELLS,
  tokenCell,
  tokenCells,
} from './cells.ts';
import type { FocusRow } from './columns.ts';

type Other = InvoiceCharges['others'][number];

/**
 * An invoice as charges of the seller's: the customer is the billing account and the sub account. They sum to its total
 * less what credit notes have taken back.
 */
export function invoiceCharges(
  charges: InvoiceCharges,
  {
    invoice,
    creditedMinor,
    sellerName,
  }: { invoice: StoredInvoice; creditedMinor: bigint; sellerName: string },
): FocusRow[] {
  const base = baseOf(invoice, sellerName);
  const money = (amountMinor: bigint) => amountCells(moneyCell(amountMinor, invoice.currency));
  const whole = (amountMinor: bigint, description: string, category: string): FocusRow => ({
    ...base,
    ...money(amountMinor),
    ...periodCells(invoice.period),
    ChargeCategory: category,
    ChargeFrequency: 'One-Time',
    ChargeDescription: description,
  });
  return [
    ...charges.usage.map((usage) => ({
      ...base,
      ...money(usage.amountMinor),
      ...usageCells(usage, invoice),
    })),
    ...charges.rest.map(({ group, tokenCount, amountMinor }) => ({
      ...whole(amountMinor, `${group.name}: billed, and no usage here explains it`, 'Adjustment'),
      InvoiceDetailId: group.lines[0]?.lineId ?? null,
      x_UnexplainedTokens: tokenCell(tokenCount),
    })),
    ...charges.others.map((line) => ({
      ...base,
      ...money(line.amountMinor ?? 0n),
      ...lineCells(line, invoice),
    })),
    ...(charges.adjustmentMinor === 0n
      ? []
      : [whole(charges.adjustmentMinor, 'Discounts, credits and taxes of the invoice', 'Adjustment')]),
    ...(creditedMinor === 0n ? [] : [whole(-creditedMinor, 'Credit notes for the invoice', 'Credit')]),
  ];
}

function baseOf(invoice: StoredInvoice, seller: string) {
  return {
    BillingAccountId: invoice.customerId,
    BillingAccountName: invoice.customerName,
    BillingAccountType: 'Customer',
    BillingCurrency: invoice.currency.toUpperCase(),
    BillingPeriodStart: instantCell(invoice.period.start),
    BillingPeriodEnd: instantCell(invoice.period.end),
    InvoiceId: invoice.invoiceId,
    HostProviderName: 'Microsoft',
    InvoiceIssuerName: seller,
    ProviderName: seller,
    PublisherName: seller,
    ServiceProviderName: seller,
    ...SERVICE_CELLS,
    ServiceName: `AI of ${seller}`,
    SubAccountId: invoice.customerId,
    SubAccountName: invoice.customerName,
    SubAccountType: 'Customer',
  };
}

/** A currency without minor units has no point; readers that guess types need one. */
function moneyCell(amountMinor: bigint, currency: string): string {
  const text = formatMinor(amountMinor, currency);
  return text.includes('.') ? text : `${text}.0`;
}

/** The price of a token of tiers is what the whole usage of the line cost on average. */
function usageCells(usage: UsageCharge, { currency }: StoredInvoice) {
  const { group, day, model, feature, tokenType, tokenCount, amountMinor } = usage;
  const words = TOKEN_WORDS[tokenType].customer;
  const skuId = `${model}/${tokenType}`;
  const amountPico = amountMinor * 10n ** BigInt(PICO_DIGITS - minorUnitDigits(currency));
  return {
    ...periodCells(windowOfDay(day)),
    ChargeCategory: 'Usage',
    ChargeFrequency: 'Usage-Based',
    ChargeDescription: `${words} of ${model}${feature === '' ? '' : ` for ${feature}`}`,
    ConsumedQuantity: tokenCell(tokenCount),
    ConsumedUnit: 'Tokens',
    ...tokenCells(tokenCount, amountPico),
    PricingCategory: 'Standard',
    InvoiceDetailId: group.lines[0]?.lineId ?? null,
    SkuId: skuId,
    SkuPriceId: group.lines[0]?.priceId ?? skuId,
    SkuMeter: group.name,
    SkuPriceDetails: keyValueCell({ x_Model: model, x_TokenType: tokenType }),
    Tags: keyValueCell({ feature, model }),
    x_Feature: feature === '' ? null : feature,
    x_Model: model,
    x_TokenType: tokenType,
  };
}

const CATEGORIES = {
  late: 'Usage',
  minimum: 'Adjustment',
  credit: 'Credit',
  other: 'Purchase',
  usage: 'Usage',
};

/** Late usage corrects a period that was invoiced before. */
function lineCells(line: Other, { currency }: StoredInvoice) {
  const { kind, quantity, priceId, lineId } = line;
  const isPriced = kind === 'late' || kind === 'other';
  return {
    ...periodCells(line.period),
    ChargeCategory: CATEGORIES[kind],
    ChargeClass: kind === 'late' ? 'Correction' : null,
    ChargeFrequency: line.subscriptionItemId === null ? 'One-Time' : 'Recurring',
    ChargeDescription: line.description,
    InvoiceDetailId: lineId,
    ...(isPriced
      ? {
          ...priceCells(moneyCell(line.amountMinor ?? 0n, currency)),
          PricingCategory: 'Standard',
          PricingQuantity: '1.0',
          PricingUnit: 'Units',
          SkuId: priceId ?? lineId,
          SkuPriceId: priceId ?? lineId,
        }
      : {}),
    ...(kind === 'late' && quantity !== null
      ? { ConsumedQuantity: tokenCell(quantity), ConsumedUnit: 'Tokens' }
      : {}),
  };
}
