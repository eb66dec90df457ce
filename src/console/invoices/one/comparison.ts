import { html } from 'hono/html';
import type {
  CloseComparison,
  CloseDifference,
  CloseTokenTypeFigures,
} from '../../../../pricing/closing/certificate.ts';
import { isChained } from '../../../../pricing/closing/collection.ts';
import type { CloseMeterFigures } from '../../../../pricing/closing/meter.ts';
import { speakProduct } from '../../../../pricing/usage/words.ts';
import type { Address } from '../../../pages/address.ts';
import type { Html } from '../../../pages/html.ts';
import { countCell, instantCell } from '../../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../../pages/table/columns.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { dataTable } from '../../../pages/table/table.ts';
import { nameCell } from '../../../pages/texts.ts';
import { tokenTypeInWords } from '../../../pages/words.ts';
import type { CsvTable } from '../../../platform/csv.ts';
import { PRODUCT } from '../columns.ts';
import { minorCell } from '../words.ts';

/** A column of a count in decimal text; null: it was not asked for. */
function counts<Row>(name: string, title: string, read: (row: Row) => string | null): Column<Row> {
  const exact = (row: Row) => {
    const text = read(row);
    return text === null ? null : BigInt(text);
  };
  return {
    name,
    title,
    kind: 'number',
    cell: (row) => {
      const count = exact(row);
      return count === null ? html`<span class="muted">not asked</span>` : countCell(count);
    },
    csv: read,
    sortBy: exact,
  };
}

function verdict<Row>(isEqual: (row: Row) => boolean): Column<Row> {
  return {
    name: 'verdict',
    title: 'Verdict',
    kind: 'text',
    cell: (row) =>
      isEqual(row) ? html`<span class="good">equal</span>` : html`<span class="tag warn">differs</span>`,
    csv: (row) => (isEqual(row) ? 'equal' : 'differs'),
  };
}

/** @param meters what the meters of the close count, by which people know them */
function tokenTable(
  differences: readonly CloseDifference[],
  meters: readonly CloseMeterFigures[],
): TableDefinition<CloseTokenTypeFigures> {
  const products = new Map(meters.map(({ stripeMeterId, productName }) => [stripeMeterId, productName]));
  const differing = new Set(
    differences.filter(({ kind }) => kind === 'source').map(({ subject }) => subject),
  );
  return {
    name: 'tokens',
    caption: 'From the source to Stripe, in tokens',
    empty: 'The period has no usage.',
    columns: [
      {
        name: 'token_type',
        title: 'Token type',
        kind: 'text',
        isRowHeader: true,
        cell: ({ tokenType, stripeMeterId }) =>
          html`${tokenTypeInWords(tokenType)}${stripeMeterId === null ? html` <span class="unknown">no meter</span>` : ''}`,
        csv: ({ tokenType }) => tokenType,
      },
      {
        name: 'meter',
        title: 'Meter',
        kind: 'text',
        cell: ({ stripeMeterId }) => meterCell(stripeMeterId, products.get(stripeMeterId ?? '')),
        csv: ({ stripeMeterId }) => stripeMeterId,
      },
      counts('source', 'Source', (row) => row.sourceTokens),
      counts('waits', 'Waits', (row) => row.heldTokens),
      counts('events', 'Events', (row) => row.eventTokens),
      counts('metered', 'Metered', (row) => row.meteredTokens),
      counts('delivered', 'Delivered', (row) => row.pushedTokens),
      counts('carried', 'To the next', (row) => row.carriedOutTokens),
      counts('quarantined', 'Quarantine', (row) => row.quarantinedTokens),
      verdict((row) => !differing.has(`${row.stripeMeterId ?? 'no meter'} ${row.tokenType}`)),
    ],
  };
}

function meterTable(
  currency: string,
  differences: readonly CloseDifference[],
): TableDefinition<CloseMeterFigures> {
  const differing = new Set(
    differences.filter(({ kind }) => kind === 'quantity' || kind === 'amount').map(({ subject }) => subject),
  );
  const money = (
    name: string,
    title: string,
    read: (row: CloseMeterFigures) => string | null,
  ): Column<CloseMeterFigures> => ({
    name,
    title,
    kind: 'number',
    cell: (row) => {
      const minor = read(row);
      return minor === null
        ? html`<span class="unknown">cannot be rated</span>`
        : minorCell(BigInt(minor), currency);
    },
    csv: read,
  });
  return {
    name: 'meters',
    caption: 'From what was delivered to the lines of the invoice',
    empty: 'The invoice has no metered line.',
    columns: [
      { ...PRODUCT, isRowHeader: true },
      counts('delivered', 'Delivered', (row) => row.pushedTokens),
      counts('stripe_sum', 'Stripe’s sum', (row) => row.stripeTokens),
      counts('on_invoice', 'On the invoice', (row) => row.invoiceQuantity),
      money('rated_minor', 'By its price', (row) => row.ratedAmountMinor),
      money('charged_minor', 'Charged', (row) => row.invoiceAmountMinor),
      verdict((row) => !differing.has(row.eventName)),
    ],
  };
}

/** What a meter counts, and its id for whoever looks it up at Stripe. */
function meterCell(stripeMeterId: string | null, productName: string | undefined): Html | string {
  if (stripeMeterId === null) return '–';
  if (productName === undefined) return nameCell(stripeMeterId, 30);
  return html`<span title="${stripeMeterId}">${nameCell(speakProduct(productName), 60)}</span>`;
}

/** What was held against each other, as tables: of a close under way, or as a certificate has it. */
export function drawComparison(
  comparison: CloseComparison,
  differences: readonly CloseDifference[],
  address: Address,
): Html {
  const { currency, tokenTypes, meters, otherLines } = comparison;
  const others = otherLines.reduce((sum, { amountMinor }) => sum + BigInt(amountMinor), 0n);
  return html`${dataTable(tokenTable(differences, meters), tokenTypes, address)}
${dataTable(meterTable(currency, differences), meters, address)}
<dl class="facts sums">
  <dt>Lines of usage</dt><dd>${minorCell(
    meters.reduce((sum, { invoiceAmountMinor }) => sum + BigInt(invoiceAmountMinor), 0n),
    currency,
  )}</dd>
  ${lines(comparison)}
  <dt>Other lines (${otherLines.length})</dt><dd>${minorCell(others, currency)}</dd>
  <dt>Total, after discounts and taxes</dt><dd><strong>${minorCell(BigInt(comparison.totalMinor), currency)}</strong></dd>
</dl>`;
}

function lines({ lateItems = [], minimums = [], currency }: CloseComparison): Html {
  return html`${lateItems.map(
    ({ amountMinor, tokenCount, lateItemId }) =>
      html`<dt>Late usage ${lateItemId}, ${countCell(BigInt(tokenCount))} tokens</dt><dd>${minorCell(BigInt(amountMinor), currency)}</dd>`,
  )}${minimums.map(
    ({ planName, topUpMinor }) =>
      html`<dt>${nameCell(planName, 60)}, up to its minimum</dt><dd>${minorCell(BigInt(topUpMinor), currency)}</dd>`,
  )}`;
}

/** What it rests on: the windows of the source, and the versions of prices and plans. */
export function drawGround({
  collection,
  priceBookVersion,
  planVersions,
  comparedAt,
}: CloseComparison): Html {
  return html`<dl class="facts">
  <dt>Compared</dt><dd>${instantCell(new Date(comparedAt))}</dd>
  ${
    isChained(collection)
      ? collection.chains.map(
          (chain) =>
            html`<dt>Windows of ${nameCell(chain.source, 40)} by ${chain.by} time</dt><dd>${countCell(BigInt(chain.windowCount))} windows, ${countCell(BigInt(chain.rowCount))} rows, from ${instantCell(new Date(chain.from))} to ${instantCell(new Date(chain.to))}; the last digest <code>${chain.lastDigest}</code></dd>`,
        )
      : html`<dt>Windows of ${nameCell(collection.source, 40)}</dt><dd>${collection.windowCount}; <code>${collection.windowsSha256}</code></dd>`
  }
  <dt>Price book</dt><dd>version ${priceBookVersion}</dd>
  ${planVersions.map(({ planId, versionId }) => html`<dt>Plan ${nameCell(planId, 40)}</dt><dd>version ${versionId}</dd>`)}
</dl>`;
}

export function comparisonCsv(
  comparison: CloseComparison,
  differences: readonly CloseDifference[],
  { query }: Address,
): Record<string, () => CsvTable> {
  return {
    tokens: () => csvOfTable(tokenTable(differences, comparison.meters), comparison.tokenTypes, query),
    meters: () => csvOfTable(meterTable(comparison.currency, differences), comparison.meters, query),
  };
}
