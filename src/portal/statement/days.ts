import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import { addressWith } from '../../pages/address.ts';
import type { Chart } from '../../pages/charts/figure.ts';
import { stackedBars } from '../../pages/charts/stacked-bars.ts';
import { hiddenFields, optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import type { Statement } from '../../statements/decide.ts';
import { divideDays } from '../../statements/spans.ts';
import type { PortalView } from '../frame/define-page.ts';
import type { ReaderLocale } from '../words/reader.ts';
import { modelsChart } from './models-chart.ts';
import { spanInWords } from './parts.ts';
import type { Stated } from './stated.ts';

type Day = { day: string; models: readonly { value: string; tokenCount: bigint; amountMinor: bigint }[] };

/** The days of a statement drawn, by model, and the form that picks some of them. */
export function daysSection(stated: Stated, view: PortalView): Html {
  const { statement, picked, suffix } = stated;
  const { locale, address } = view;
  const { words } = locale;
  const { currency } = statement.head;
  const isCost = !statement.totals.isUnpriced && statement.totals.usageMinor > 0n;
  const id = `drawn${suffix}`;
  const drawing = daysChart(divideDays(statement), {
    id,
    title: isCost ? words.days.costTitle : words.days.tokensTitle,
    locale,
    cost: isCost ? currency : null,
  });
  if (drawing === null) return html`<p class="lead" id="${id}">${words.days.nothing}</p>`;
  const { days } = statement;
  const span = picked?.span;
  const chart = {
    ...drawing,
    hrefOf: (index: number) => {
      const day = days[index]?.day ?? '';
      return `${addressWith(address, { from: day, to: day, csv: null })}#${id}`;
    },
    ...(span === undefined
      ? {}
      : {
          isPicked: (index: number) => {
            const day = days[index]?.day ?? '';
            return day >= span.firstDay && day <= span.lastDay;
          },
        }),
  };
  return html`${stackedBars(chart)}
    <p data-hint hidden>${words.days.pickHint}</p>
    ${spanForm(stated, view, id)}
    ${picked === null ? '' : pickedNotice(stated, view)}`;
}

/** Null: there is nothing to draw. @param cost in this currency; null: tokens are drawn */
export function daysChart(
  days: readonly Day[],
  { id, title, locale, cost }: { id: string; title: string; locale: ReaderLocale; cost: string | null },
): Chart | null {
  const { words } = locale;
  const places = days.map(({ day, models }) => ({
    place: day,
    models: models.map(({ value, tokenCount, amountMinor }) => ({
      value,
      size: cost === null ? tokenCount : amountMinor,
    })),
  }));
  return modelsChart(places, {
    id,
    title,
    texts: words,
    say: (size) => (cost === null ? locale.count(size) : locale.minor(size, cost)),
    numberOf: (size) => Number(cost === null ? size : formatMinor(size, cost)),
    describe: cost === null ? words.days.tokensDescription : words.days.costDescription,
    scaleText: (value, axis) =>
      cost === null ? locale.shortCount(value) : scaleMoney(value, axis, cost, locale),
    words: {
      asTable: words.days.asTable,
      place: words.table.day,
      placeShort: locale.dayShort,
      placeLong: locale.day,
    },
  });
}

/** The middle of the axis is half of its top: it needs a decimal first. */
function scaleMoney(value: number, axis: readonly number[], currency: string, locale: ReaderLocale): string {
  const top = Math.max(...axis);
  const decimals = value === 0 || top >= 100 ? 0 : top >= 0.2 ? 2 : 4;
  return locale.money(value.toFixed(decimals), currency);
}

function spanForm(
  { statement: { days }, picked }: Stated,
  { address, locale }: PortalView,
  id: string,
): Html {
  const { words, day } = locale;
  const kept = [...address.query].filter(([name]) => !['from', 'to', 'csv'].includes(name));
  const first = picked?.span.firstDay ?? days[0]?.day ?? '';
  const last = picked?.span.lastDay ?? days.at(-1)?.day ?? '';
  const options = (chosen: string) =>
    days.map((one) => optionField(one.day, day(one.day), one.day === chosen));
  return html`<form class="span-form" id="${id}-span" method="get" action="${address.path}#${id}" aria-label="${words.days.pick}">
    ${hiddenFields(kept)}
    <label><span>${words.days.from}</span><select name="from">${options(first)}</select></label>
    <label><span>${words.days.to}</span><select name="to">${options(last)}</select></label>
    <button class="quiet">${words.days.show}</button>
  </form>`;
}

function pickedNotice({ statement, picked }: Stated, { address, locale }: PortalView): Html | string {
  if (picked === null) return '';
  const { words } = locale;
  const { span, parts } = picked;
  const amount = amountOf(statement, parts.amountMinor, locale);
  return html`<div class="notice" role="status"><p><strong>${words.days.picked(spanInWords(span, locale))}</strong>: ${words.days.pickedSums(amount, locale.count(parts.tokenCount))}</p><p><a href="${addressWith(address, { from: null, to: null, csv: null })}">${words.days.whole}</a></p></div>`;
}

/** As long as a line has no price, nobody knows what some days come to. */
function amountOf({ totals, head }: Statement, amountMinor: bigint, { words, minor }: ReaderLocale): string {
  return totals.isUnpriced ? words.unknown : minor(amountMinor, head.currency);
}
