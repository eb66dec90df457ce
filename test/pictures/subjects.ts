/** A picture: of which page, how wide, in which colours. */
export interface Subject {
  /** In docs/pictures. */
  file: string;
  /** An address of the console, or the name by which the demo's ending tells a signed one. */
  of: { console: string } | { signed: string };
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

export const SUBJECTS: readonly Subject[] = [
  { file: 'overview.png', of: { console: `/console/overview?${MONTH}` } },
  { file: 'overview-dark.png', of: { console: `/console/overview?${MONTH}` }, colorScheme: 'dark' },
  { file: 'overview-phone.png', of: { console: `/console/overview?${MONTH}` }, width: 360, height: 740 },
  { file: 'customers.png', of: { console: `/console/customers?${MONTH}` } },
  { file: 'customer.png', of: { console: `/console/customers/${CUSTOMER}?${MONTH}` } },
  { file: 'features.png', of: { console: `/console/features?${MONTH}` } },
  { file: 'quote-form.png', of: { console: `/console/quotes/new?${TYPED}` } },
  { file: 'quote.png', of: { signed: 'quote' } },
  { file: 'invoices.png', of: { console: '/console/invoices' } },
  { file: 'pipeline.png', of: { console: '/console/pipeline' } },
  { file: 'statement.png', of: { signed: 'statement' } },
  { file: 'portal.png', of: { signed: 'portal' } },
];
