import { completePriceRow, type PriceBookData, type PriceRow } from '../../pricing/prices/rows.ts';

/** The book as it is shipped: a line for each model and each row, without what is usual, so that a diff can be read. */
export function formatBook(data: PriceBookData): string {
  const { version, provider, currency, sources, models, deployments, prices } = data;
  const head = JSON.stringify({ version, provider, currency, sources }, null, 2).replace(/\n\}$/, '');
  return [
    `${head},`,
    '  "models": [',
    models.map((entry) => `    ${lineOf(entry)}`).join(',\n'),
    '  ],',
    `  "deployments": ${JSON.stringify(deployments)},`,
    '  "prices": [',
    prices.map((row) => `    ${lineOf(withoutUsual(row))}`).join(',\n'),
    '  ]',
    '}\n',
  ].join('\n');
}

/** In this order; the rest behind. */
const FIRST = ['model', 'deploymentType', 'region', 'tokenType', 'amount', 'unit', 'effectiveFrom'];

function withoutUsual(row: PriceRow): object {
  const { model, tokenType, amount } = row;
  const usual = completePriceRow({ model, tokenType, amount }) as unknown as Record<string, unknown>;
  const fields = Object.entries(row).filter(
    ([field, value]) =>
      field === 'model' || field === 'tokenType' || field === 'amount' || value !== usual[field],
  );
  const rank = (field: string) => (FIRST.includes(field) ? FIRST.indexOf(field) : FIRST.length);
  return Object.fromEntries(fields.sort(([left], [right]) => rank(left) - rank(right)));
}

function lineOf(value: object): string {
  return `{${Object.entries(value)
    .map(
      ([key, part]) => `${JSON.stringify(key)}: ${Array.isArray(part) ? listOf(part) : JSON.stringify(part)}`,
    )
    .join(', ')}}`;
}

function listOf(parts: readonly unknown[]): string {
  return `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`;
}
