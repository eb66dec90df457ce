import { formatDecimal, parseDecimal } from '../../pricing/money.ts';

/** One meter of the stand-in's list. Ids are the sandbox's own: Azure has none that begins like them. */
export interface RetailMeter {
  meterId: string;
  productName: string;
  meterName: string;
  unitOfMeasure: string;
  /** Decimal text for one unit of measure. */
  retailPrice: string;
  type: 'Consumption' | 'Reservation';
  reservationTerm?: string;
  tierMinimumUnits?: string;
  regions: readonly string[];
}

/** The sandbox's meter number as the GUID that the list has. */
export function sandboxMeterId(number: number): string {
  return `5a17b0c5-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

const RETAIL_REGIONS = ['eastus2', 'swedencentral', 'westeurope'] as const;

/** `[number, meterName, USD per million tokens]`, spelled as irregularly as the real list spells. */
type TokenMeter = readonly [number, string, string];

/** Sold by the thousand. */
const BY_THOUSAND: Record<string, readonly TokenMeter[]> = {
  'Azure OpenAI': [
    [1, 'gpt-4o-0806-Inp-glbl Tokens', '2.50'],
    [2, 'gpt 4o 0806 cached Inp glbl Tokens', '1.25'],
    [3, 'gpt-4o-0806-Outp-glbl Tokens', '10.00'],
    [4, 'gpt 4o 0806 Inp Data Zone Tokens', '2.75'],
    [5, 'gpt 4o 0806 cchd Inp DZone Tokens', '1.375'],
    [6, 'gpt-4o-0806-Outp-DZone Tokens', '11.00'],
    [7, 'gpt 4o 0513 Input global Tokens', '5.00'],
    [8, 'gpt 4o 0513 Output global Tokens', '15.00'],
    [9, 'gpt-4o-mini-0718-Inp-glbl Tokens', '0.15'],
    [10, 'gpt 4o mini 0718 cached Inp glbl Tokens', '0.075'],
    [11, 'gpt-4o-mini-0718-Outp-glbl Tokens', '0.60'],
    [12, 'gpt-4o-mini-0718-Inp-DZone Tokens', '0.165'],
    [13, 'gpt 4o mini 0718 cchd Inp Data Zone Tokens', '0.083'],
    [14, 'gpt-4o-mini-0718-Outp-DZone Tokens', '0.66'],
    [15, 'gpt 4.1 Inp glbl Tokens', '2.00'],
    [16, 'gpt 4.1 cached Inp glbl Tokens', '0.50'],
    [17, 'gpt 4.1 Outp glbl Tokens', '8.00'],
    [18, 'gpt 4.1 mini Inp glbl Tokens', '0.40'],
    [19, 'gpt 4.1 mini cached Inp glbl Tokens', '0.10'],
    [20, 'gpt 4.1 mini Outp glbl Tokens', '1.60'],
    [21, 'text-embedding-3-large-glbl Tokens', '0.13'],
    [22, 'text-embedding-3-small-glbl Tokens', '0.02'],
    [23, 'embedding-ada-glbl Tokens', '0.10'],
    [24, 'gpt 4o 0806 Batch Inp glbl Tokens', '1.25'],
    [25, 'gpt 4o 0806 Batch Outp glbl Tokens', '5.00'],
    [26, 'gpt-4o-0806-Inp-regnl Tokens', '3.025'],
    [27, 'gpt-4o-0806-Outp-regnl Tokens', '12.10'],
    [28, 'gpt-4o-aud-1217 Inp glbl Tokens', '40.00'],
  ],
  'Azure OpenAI Reasoning': [
    [40, 'o4-mini 0416 Inp glbl Tokens', '1.10'],
    [41, 'o4-mini 0416 cached Inp glbl Tokens', '0.275'],
    [42, 'o4-mini 0416 Outp glbl Tokens', '4.40'],
    [43, 'o3 0416 Inp glbl Tokens', '2.00'],
    [44, 'o3 0416 cached Inp glbl Tokens', '0.50'],
    [45, 'o3 0416 Outp glbl Tokens', '8.00'],
  ],
};

/** Sold by the million. */
const BY_MILLION: Record<string, readonly TokenMeter[]> = {
  'Azure OpenAI GPT5': [
    [60, 'GPT 5 Inpt Glbl 1M Tokens', '1.25'],
    [61, 'GPT 5 cchd Inpt Glbl 1M Tokens', '0.125'],
    [62, 'GPT 5 outpt Glbl 1M Tokens', '10.00'],
    [63, 'GPT 5 Mini Inpt Glbl 1M Tokens', '0.25'],
    [64, 'GPT 5 Mini cchd Inpt Glbl 1M Tokens', '0.025'],
    [65, 'GPT 5 Mini outpt Glbl 1M Tokens', '2.00'],
    [66, '5.4 inp Gl 1M Tokens', '2.50'],
    [67, '5.4 opt Gl 1M Tokens', '15.00'],
  ],
};

/** Everything that is no price of tokens, or none that a synchronization may take by itself. */
const OTHERS: readonly Omit<RetailMeter, 'regions'>[] = [
  meter(80, 'Provisioned Managed Global Unit', '1/Hour', '1.00'),
  meter(81, 'Provisioned Managed Data Zone Unit', '1 Hour', '1.10'),
  meter(82, 'gpt-4o-0806-FT-Hstng-glbl Unit', '1 Hour', '1.70'),
  {
    ...meter(83, 'Provisioned Managed Global Unit', '1/Hour', '2652.00'),
    productName: 'Azure AI Foundry Provisioned Throughput Reservation OpenAI',
    type: 'Reservation',
    reservationTerm: '1 Year',
  },
  { ...meter(84, 'Image-Dall-E-3 Std LowRes-glbl Images', '100', '4.00') },
  { ...meter(85, 'Sora 2 glbl Second', '1', '0.10'), productName: 'Azure OpenAI Media' },
  {
    ...meter(86, 'file-search-tool-calls-glbl Calls', '1K', '2.50'),
    tierMinimumUnits: '10',
  },
  { ...meter(87, 'gpt-4o-dev-ft Free glbl Tokens', '1K', '0'), productName: 'Azure OpenAI Free Meter' },
];

function meter(number: number, meterName: string, unitOfMeasure: string, retailPrice: string) {
  const meterId = sandboxMeterId(number);
  return {
    meterId,
    productName: 'Azure OpenAI',
    meterName,
    unitOfMeasure,
    retailPrice,
    type: 'Consumption' as const,
  };
}

/** Other makers' models, which the same service sells. */
const FOREIGN: readonly Omit<RetailMeter, 'regions'>[] = [
  { ...meter(120, 'R1 Inp glbl Tokens', '1K', '0.00135'), productName: 'Azure Deepseek Models' },
  { ...meter(121, 'Phi-4-reasoning-Output Tokens', '1K', '0.0005'), productName: 'Azure Phi Models' },
];

/** The list as it stands before any change. */
export const RETAIL_METERS: readonly RetailMeter[] = [
  ...tokenMeters(BY_THOUSAND, '1K', 3),
  ...tokenMeters(BY_MILLION, '1M', 0),
  ...OTHERS,
  ...FOREIGN,
].map((meter) => ({ ...meter, regions: RETAIL_REGIONS }));

function tokenMeters(
  products: Record<string, readonly TokenMeter[]>,
  unitOfMeasure: string,
  shift: number,
): Omit<RetailMeter, 'regions'>[] {
  return Object.entries(products).flatMap(([productName, meters]) =>
    meters.map(([number, meterName, usdPerMillion]) => ({
      ...meter(number, meterName, unitOfMeasure, formatDecimal(parseDecimal(usdPerMillion, 6), 6 + shift)),
      productName,
    })),
  );
}
