/** A picture: of which page, how wide, in which colours. */
export interface Subject {
  /** In docs/pictures. */
  file: string;
  /**
   * An address of the console, a simulation that is asked for, a customer's portal, or the name by which the demo's ending tells a
   * signed address.
   */
  of:
    | { console: string }
    | { simulation: Record<string, unknown> }
    | { portalOf: string }
    | { signed: string };
  width?: number;
  height?: number;
  colorScheme?: 'light' | 'dark';
}

/** The month that the demo has played whole. */
const MONTH = 'period=2026-10';
/** Whoever costs more than they bring. */
const CUSTOMER = 'northwind';

/** A hundred thousand answers a month of a new customer, with what its seller would type. */
const TYPED = new URLSearchParams({
  basis: 'usage',
  model: 'gpt-4o',
  feature: 'chat',
  prompt: '120000000',
  completion: '18000000',
  requests: '100000',
  textOnly: 'yes',
  cachedPercent: '30',
  margin: '35',
  preparedFor: 'Fourth Coffee',
  contractMonths: '12',
});

/** What a month would have been with the wrong model put right, and with prices a tenth higher. */
const SIMULATION = {
  period: '2026-10',
  scenarios: [
    {
      name: 'thread-summary on gpt-4o-mini, prices +10 %',
      modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4o-mini', feature: 'thread-summary' }],
      sellChanges: [{ percent: '10' }],
    },
  ],
};

export const SUBJECTS: readonly Subject[] = [
  { file: 'overview.png', of: { console: `/console/overview?${MONTH}` } },
  { file: 'overview-dark.png', of: { console: `/console/overview?${MONTH}` }, colorScheme: 'dark' },
  { file: 'overview-phone.png', of: { console: `/console/overview?${MONTH}` }, width: 360, height: 740 },
  { file: 'customers.png', of: { console: `/console/customers?${MONTH}` } },
  { file: 'customer.png', of: { console: `/console/customers/${CUSTOMER}?${MONTH}` } },
  { file: 'features.png', of: { console: `/console/features?${MONTH}` } },
  { file: 'quote-form.png', of: { console: `/console/quotes/new?${TYPED}` } },
  { file: 'quote.png', of: { signed: 'quote' } },
  { file: 'simulation.png', of: { simulation: SIMULATION } },
  { file: 'invoices.png', of: { console: '/console/invoices' } },
  { file: 'pipeline.png', of: { console: '/console/pipeline' } },
  { file: 'statement.png', of: { signed: 'statement' } },
  { file: 'portal.png', of: { portalOf: 'fabrikam' } },
];
