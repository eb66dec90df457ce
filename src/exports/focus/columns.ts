import type { TableColumn } from '../../platform/parquet.ts';

/** Versions of the specification that an export can follow, the oldest first. */
export const FOCUS_VERSIONS = ['1.0', '1.1', '1.2', '1.3', '1.4'] as const;
export type FocusVersion = (typeof FOCUS_VERSIONS)[number];

/**
 * The version unless another is asked for: it alone has every mandatory column of all of them, those that 1.4 has removed
 * beside those that 1.3 brought.
 */
export const DEFAULT_FOCUS_VERSION: FocusVersion = '1.3';

interface FocusColumn {
  type: TableColumn['type'];
  isNullable: boolean;
  /** Not in versions before it (1.0), nor from `until` on. */
  since?: FocusVersion;
  until?: FocusVersion;
}

const TEXT = { type: 'text', isNullable: false } as const;
const TEXT_OR_NULL = { type: 'text', isNullable: true } as const;
const DECIMAL = { type: 'decimal', isNullable: false } as const;
const DECIMAL_OR_NULL = { type: 'decimal', isNullable: true } as const;
const INSTANT = { type: 'instant', isNullable: false } as const;

/**
 * The columns of the Cost and Usage dataset that an export has, by the specification's own names and null rules
 * (github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, read in November 2026; 1.4 was ratified in June 2026), and ours
 * behind them, with the prefix that it asks for. Conditional columns of what there is not (regions of a charge, contract
 * commitments, prices in another currency than the bill's) are left out, unless 1.0 had them.
 */
export const FOCUS_COLUMNS = {
  BilledCost: DECIMAL,
  BillingAccountId: TEXT,
  BillingAccountName: TEXT_OR_NULL,
  BillingAccountType: { ...TEXT, since: '1.2' },
  BillingCurrency: TEXT,
  BillingPeriodEnd: INSTANT,
  BillingPeriodStart: INSTANT,
  CapacityReservationId: { ...TEXT_OR_NULL, since: '1.1' },
  CapacityReservationStatus: { ...TEXT_OR_NULL, since: '1.1' },
  ChargeCategory: TEXT,
  ChargeClass: TEXT_OR_NULL,
  ChargeDescription: TEXT_OR_NULL,
  ChargeFrequency: TEXT,
  ChargePeriodEnd: INSTANT,
  ChargePeriodStart: INSTANT,
  CommitmentDiscountCategory: TEXT_OR_NULL,
  CommitmentDiscountId: TEXT_OR_NULL,
  CommitmentDiscountName: TEXT_OR_NULL,
  CommitmentDiscountStatus: TEXT_OR_NULL,
  CommitmentDiscountType: TEXT_OR_NULL,
  ConsumedQuantity: DECIMAL_OR_NULL,
  ConsumedUnit: TEXT_OR_NULL,
  ContractedCost: DECIMAL,
  ContractedUnitPrice: DECIMAL_OR_NULL,
  EffectiveCost: DECIMAL,
  HostProviderName: { ...TEXT, since: '1.3' },
  InvoiceDetailId: { ...TEXT_OR_NULL, since: '1.4' },
  InvoiceId: { ...TEXT_OR_NULL, since: '1.2' },
  InvoiceIssuerName: TEXT,
  ListCost: DECIMAL,
  ListUnitPrice: DECIMAL_OR_NULL,
  PricingCategory: TEXT_OR_NULL,
  PricingQuantity: DECIMAL_OR_NULL,
  PricingUnit: TEXT_OR_NULL,
  ProviderName: { ...TEXT, until: '1.4' },
  PublisherName: { ...TEXT, until: '1.4' },
  RegionId: TEXT_OR_NULL,
  RegionName: TEXT_OR_NULL,
  ResourceId: TEXT_OR_NULL,
  ResourceName: TEXT_OR_NULL,
  ResourceType: TEXT_OR_NULL,
  ServiceCategory: TEXT,
  ServiceName: TEXT,
  ServiceProviderName: { ...TEXT, since: '1.3' },
  ServiceSubcategory: { ...TEXT, since: '1.1' },
  SkuId: TEXT_OR_NULL,
  SkuMeter: { ...TEXT_OR_NULL, since: '1.1' },
  SkuPriceDetails: { ...TEXT_OR_NULL, since: '1.1' },
  SkuPriceId: TEXT_OR_NULL,
  SubAccountId: TEXT_OR_NULL,
  SubAccountName: TEXT_OR_NULL,
  SubAccountType: { ...TEXT_OR_NULL, since: '1.2' },
  Tags: TEXT_OR_NULL,
  x_CostKind: TEXT_OR_NULL,
  x_CostUnknownReason: TEXT_OR_NULL,
  x_Deployment: TEXT_OR_NULL,
  x_Feature: TEXT_OR_NULL,
  x_Margin: DECIMAL_OR_NULL,
  x_Model: TEXT_OR_NULL,
  x_PriceBookVersion: TEXT_OR_NULL,
  x_PriceNotes: TEXT_OR_NULL,
  x_Revenue: DECIMAL_OR_NULL,
  x_RevenueCurrency: TEXT_OR_NULL,
  x_TokenType: TEXT_OR_NULL,
  x_UnexplainedTokens: DECIMAL_OR_NULL,
} as const satisfies Record<string, FocusColumn>;

export type FocusColumnName = keyof typeof FOCUS_COLUMNS;

/** A charge: every column as text, decimals plain, instants in ISO 8601; what it does not name is null. */
export type FocusRow = {
  [Name in FocusColumnName as (typeof FOCUS_COLUMNS)[Name]['isNullable'] extends false
    ? Name
    : never]: string;
} & {
  [Name in FocusColumnName as (typeof FOCUS_COLUMNS)[Name]['isNullable'] extends true ? Name : never]?:
    | string
    | null;
};

/** The columns of a version, in the order in which a file has them: those of the specification by name, then ours. */
export function columnsOf(version: FocusVersion): (TableColumn & { name: FocusColumnName })[] {
  const age = (one: FocusVersion) => FOCUS_VERSIONS.indexOf(one);
  return Object.entries<FocusColumn>(FOCUS_COLUMNS)
    .filter(
      ([, { since = '1.0', until }]) => age(since) <= age(version) && !(until && age(until) <= age(version)),
    )
    .map(([name, { type, isNullable }]) => ({ name: name as FocusColumnName, type, isNullable }));
}
