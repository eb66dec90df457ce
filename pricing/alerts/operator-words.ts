import { earlyBillInWords } from '../budgets/early-bill.ts';
import { sayAmount, sayCount, sayInstant, sayShare } from './amounts.ts';
import type { AlertKind, FactsOf } from './facts.ts';
import type { AlertMessage } from './message.ts';

/** An alert with what is known of it, and whom it is about. */
export interface TellableAlert<Kind extends AlertKind = AlertKind> {
  kind: Kind;
  /** Null: nobody in particular. */
  customerName: string | null;
  facts: FactsOf<Kind>;
  /** That another alert counts no longer, and why; null: it is an alert itself. */
  ending: 'undone' | 'settled' | null;
}

type Words<Kind extends AlertKind> = (facts: FactsOf<Kind>, of: string) => AlertMessage;

const USD = 'usd';
const words = (text: string) => text.replaceAll('_', ' ');
const link = (...parts: string[]) => `/console/${parts.map(encodeURIComponent).join('/')}`;

const SHAPES: Record<string, string> = {
  loop: 'one user asks the same again and again',
  scraper: 'one user asks about everything',
  larger_prompts: 'requests are larger than usual',
  creep: 'requests cost more and more',
  new_feature: 'a feature is new',
  growth: 'all users ask for more',
  spike: 'more than usual',
};

const ACTIONS: Record<FactsOf<'budget'>['action'], string> = {
  tell: 'Nothing is held up.',
  slow: 'The gateway slows it down.',
  swap: 'The gateway sends it to another deployment.',
  stop: 'The gateway stops it.',
  bill: 'It is invoiced early.',
};

function sayAct({ action, cannotBill }: FactsOf<'budget'>): string {
  if (action !== 'bill' || cannotBill == null) return ACTIONS[action];
  return `It is ${earlyBillInWords({ state: 'cannot', reason: cannotBill })}.`;
}

const WORDS: { [Kind in AlertKind]: Words<Kind> } = {
  budget: (facts, of) => {
    const whose = [of, facts.subject && `user ${facts.subject}`, facts.feature && `feature ${facts.feature}`]
      .filter(Boolean)
      .join(', ');
    const reaches = facts.on === 'forecast' ? 'is expected to reach' : 'has reached';
    return {
      subject: `Budget ${facts.budgetName}${whose === '' ? '' : ` (${whose})`} ${reaches} ${sayShare(facts.sharePermille)}`,
      paragraphs: [
        `${sayUse(facts)} of ${sayLimit(facts)} ${facts.on === 'forecast' ? 'are expected' : 'are used'} in this ${words(facts.period)}. ${sayAct(facts)}`,
      ],
      facts: [
        ['Used', sayUse(facts)],
        ['Limit', sayLimit(facts)],
        ...(facts.windowEnd === null ? [] : [['Until', sayInstant(facts.windowEnd)] as [string, string]]),
      ],
      path: link('budgets', facts.budgetId),
    };
  },
  anomaly: (facts, of) => {
    const moved = facts.moved
      .map(({ dimension, value, sharePercent }) => `${dimension} ${value} (${sharePercent} %)`)
      .join(', ');
    return {
      subject: `${of}: ${sayAmount(BigInt(facts.excessPicoUsd), USD)} more than usual since ${sayInstant(facts.firstHour)}`,
      paragraphs: [
        `${facts.shape === null ? 'A day far above the usual' : SHAPES[facts.shape]}${moved === '' ? '' : `: ${moved}`}. If it goes on, another day costs ${sayAmount(BigInt(facts.dayAheadPicoUsd), USD)} beyond the usual.`,
      ],
      facts: [
        ['Cost so far', sayAmount(BigInt(facts.costPicoUsd), USD)],
        ['Usual', sayAmount(BigInt(facts.usualPicoUsd), USD)],
      ],
      path: link('anomalies', facts.findingId),
    };
  },
  drift: (facts, of) => ({
    subject: `${of === '' ? 'Usage' : of}: ${facts.boundary === 'stripe' ? 'Stripe' : 'OpenMeter'} differs from the ledger ${facts.tokenCount === '0' ? 'in what it counts of requests' : `by ${sayCount(BigInt(facts.tokenCount))} tokens`}`,
    paragraphs: [
      `${facts.hourCount} hour(s) differ and repair has not settled it. What it concerns waits with its invoice.`,
    ],
    facts: [['Since', sayInstant(facts.firstSeenAt)]],
    path: '/console/pipeline',
  }),
  held_invoice: (facts, of) => ({
    subject: `Invoice of ${of} is held${facts.deadline === null ? '' : `; Stripe finalizes it at ${sayInstant(facts.deadline)}`}`,
    paragraphs: [
      `Its usage is not proven: ${words(facts.reason ?? 'see the invoice')}. If nobody acts, it goes out as it is.`,
    ],
    facts: [
      ['Invoice', facts.invoiceId],
      ['Period until', sayInstant(facts.periodEnd)],
    ],
    path: link('invoices', facts.invoiceId),
  }),
  quarantine_age: (facts) => ({
    subject: `${sayCount(BigInt(facts.tokenCount))} tokens wait since ${sayInstant(facts.oldestAt)}: ${words(facts.reason)}`,
    paragraphs: ['They are neither metered nor billed before somebody says what they are.'],
    facts: [
      ['Where', words(facts.stage)],
      ['Rows', sayCount(BigInt(facts.rowCount))],
      ...(facts.metricName === null ? [] : [['Metric', facts.metricName] as [string, string]]),
    ],
    path: '/console/pipeline',
  }),
  price_change: (facts) => ({
    subject:
      facts.state === 'waits'
        ? `${facts.count} change(s) of prices wait for somebody: ${listed(facts.models)}`
        : `Prices changed: ${listed(facts.models)}`,
    paragraphs: [
      facts.state === 'waits'
        ? 'Azure lists other prices than the book has. Until somebody decides, costs are worked out with those of the book.'
        : `By ${facts.madeBy ?? 'nobody known'}: ${facts.reason ?? 'no reason given'}.`,
    ],
    facts: facts.version === null ? [] : [['Price book', facts.version]],
    path: '/console/prices',
  }),
  failed_close: (facts, of) => ({
    subject: `Invoice of ${of} could not be closed as it should: ${words(facts.state)}`,
    paragraphs: [facts.problem === null ? 'Its certificate says what differs.' : `${facts.problem}.`],
    facts: [
      ['Invoice', facts.invoiceId],
      ['Period until', sayInstant(facts.periodEnd)],
    ],
    path: link('invoices', facts.invoiceId),
  }),
  digest: (facts) => {
    const hasNews = facts.movers.length > 0 || facts.waits.length > 0 || facts.alertCount > 0;
    return {
      subject: `Usage of ${facts.cost} from ${sayInstant(facts.from)} to ${sayInstant(facts.until)}`,
      paragraphs: [
        `Cost ${facts.cost}; ${facts.costBefore === null ? 'there is nothing known to compare it with' : `as long before it was ${facts.costBefore}`}. ${facts.revenue === null ? 'Revenue is not known: an exchange rate is missing' : `Revenue ${facts.revenue}`}${facts.marginPermille === null ? '' : `, margin ${sayShare(facts.marginPermille)}`}.`,
        ...facts.movers.map(({ name, what, cost, change }) => `${name}, ${what}: ${cost} (${change})`),
        facts.waits.length === 0
          ? hasNews
            ? 'Nothing waits for you.'
            : 'Nothing moved, and nothing waits for you.'
          : `Waits for you: ${facts.waits.map(({ what, count }) => `${count} ${what}`).join(', ')}.`,
      ],
      facts: [['Alerts in this time', String(facts.alertCount)]],
      path: '/console',
    };
  },
  storm: (facts) => ({
    subject: `${facts.count} further alerts from ${sayInstant(facts.from)} to ${sayInstant(facts.until)}`,
    paragraphs: [
      'They were more than this route takes in an hour, and are told here as one. Each is listed in the console.',
    ],
    facts: [
      ['Urgent', String(facts.urgentCount)],
      ...facts.byKind.map(({ kind, count }) => [words(kind), String(count)] as [string, string]),
    ],
    path: '/console/alerts',
  }),
  test: (facts) => ({
    subject: 'A test: this route works',
    paragraphs: [`${facts.askedBy} asked for it. Nothing happened.`],
    facts: [],
    path: '/console/alerts',
  }),
};

/** What people of the house are told. */
export function sayToOperator<Kind extends AlertKind>(alert: TellableAlert<Kind>): AlertMessage {
  const message = WORDS[alert.kind](alert.facts, alert.customerName ?? '');
  if (alert.ending === null) return message;
  const [first, because] =
    alert.ending === 'undone'
      ? ['Withdrawn', 'Later data undid it: it was not so.']
      : ['Settled', 'It is over: nobody needs to act.'];
  return { ...message, subject: `${first}: ${message.subject}`, paragraphs: [because] };
}

function sayUse(facts: Pick<FactsOf<'budget'>, 'used' | 'measure' | 'currency'>): string {
  return sayMeasured(facts.used, facts);
}

function sayLimit(facts: Pick<FactsOf<'budget'>, 'limit' | 'measure' | 'currency'>): string {
  return sayMeasured(facts.limit, facts);
}

/** An amount or a count of what a budget measures. */
export function sayMeasured(
  value: string,
  { measure, currency }: Pick<FactsOf<'budget'>, 'measure' | 'currency'>,
): string {
  return currency === null ? `${sayCount(BigInt(value))} ${measure}` : sayAmount(BigInt(value), currency);
}

/** The first few. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown || 'no model named';
}
