import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { countCell, moneyCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { dataTable } from '../../pages/table/table.ts';
import { moneyInWords, twoDecimals, usageInWords } from '../../pages/words.ts';
import type { recompute } from '../../quotes/recompute.ts';
import type { StoredQuoteBody } from '../../quotes/schemas.ts';
import type { ConsoleView } from '../frame/define-page.ts';

type Recomputed = ReturnType<typeof recompute>;
type Line = Recomputed['changed']['lines'][number];

/** What the same question would be answered today, and whether the old answer still proves itself. */
export function changesOf(recomputed: Recomputed, quote: StoredQuoteBody, view: ConsoleView): Html {
  const { reproduced, changed, nowReason } = recomputed;
  return html`<section aria-label="What changed since"><h2 id="changed">What changed since</h2>
<p class="${reproduced.identical ? '' : 'notice danger'}">${
    reproduced.identical
      ? 'Computed again from what it was made of, it gives the same to the last digit.'
      : 'Computed again from what it was made of, it gives something else. Tell whoever runs this service.'
  }</p>
${nowReason === null ? html`<p>${sentence(recomputed, quote)}</p>` : html`<p class="notice warn">Asked today, it has no answer. ${nowReason}</p>`}
${changed.lines.length === 0 ? '' : dataTable(changedLines(quote), changed.lines, view.address)}</section>`;
}

function sentence({ changed }: Recomputed, { currency, costCurrency }: StoredQuoteBody): string {
  const reasons = [
    changed.priceBook.changed ? 'the price book' : '',
    changed.plan?.changed === true ? 'the plan' : '',
    changed.rates ? 'sell prices' : '',
    changed.usage ? 'the usage it was taken from' : '',
    changed.throughput ? 'throughput bought by the hour' : '',
  ].filter((reason) => reason !== '');
  const { before, now } = changed.totals;
  const moved = [
    move('cost', before.cost, now.cost, costCurrency),
    move('price', before.price, now.price, currency),
  ].filter((text) => text !== '');
  if (reasons.length === 0 && moved.length === 0) return 'Asked today, the answer is the same.';
  const cause = reasons.length === 0 ? '' : `Changed since: ${reasons.join(', ')}. `;
  return `${cause}${moved.length === 0 ? 'Cost and price are the same today.' : `Asked today, the ${moved.join(', and the ')}.`}`;
}

function move(what: string, before: string | null, now: string | null, currency: string): string {
  if (before === now) return '';
  const inWords = (amount: string | null) =>
    amount === null ? 'unknown' : moneyInWords(twoDecimals(amount), currency);
  return `${what} would be ${inWords(now)} instead of ${inWords(before)}`;
}

export function changedLines({ currency, costCurrency }: StoredQuoteBody): TableDefinition<Line> {
  const pair = (
    name: string,
    title: string,
    of: (line: NonNullable<Line['before']>) => string | null,
    cell: (value: string | null) => Html | string,
  ): TableDefinition<Line>['columns'] =>
    (['before', 'now'] as const).map((side) => ({
      name: `${name}-${side}`,
      title: side === 'before' ? `${title} then` : 'now',
      kind: 'number',
      cell: (line) => {
        const figures = line[side];
        return figures === null ? html`<span class="muted">–</span>` : cell(of(figures));
      },
      csv: (line) => {
        const figures = line[side];
        return figures === null ? null : of(figures);
      },
    }));
  return {
    name: 'changes',
    caption: 'Lines that differ today',
    empty: 'None.',
    columns: [
      {
        name: 'usage',
        title: 'Usage',
        kind: 'text',
        isRowHeader: true,
        cell: ({ model, tokenType, feature, deployment }) =>
          html`${usageInWords(model, tokenType)} <span class="muted">${[feature, deployment].filter(Boolean).join(', ')}</span>`,
        csv: ({ model, tokenType, feature }) => [model, feature, tokenType].filter(Boolean).join(' '),
      },
      ...pair(
        'tokens',
        'Tokens',
        ({ tokenCount }) => tokenCount,
        (count) => countCell(count === null ? null : BigInt(count)),
      ),
      ...pair(
        'cost',
        'Cost',
        ({ cost }) => cost,
        (amount) => moneyCell(amount, costCurrency),
      ),
      ...pair(
        'price',
        'Price',
        ({ price }) => price,
        (amount) => moneyCell(amount, currency),
      ),
    ],
  };
}
