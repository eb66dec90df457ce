import type { TokenType } from '../../../pricing/usage/shape.ts';
import { TOKEN_WORDS } from '../../../pricing/usage/words.ts';

const tokens = Object.fromEntries(
  Object.entries(TOKEN_WORDS).map(([tokenType, { customer }]) => [tokenType, customer]),
) as Record<TokenType, string>;

const many = (count: number, one: string, more: string, shown: string) =>
  `${shown} ${count === 1 ? one : more}`;

/**
 * All that the portal says, in English; other languages are of its type, so that none lacks a sentence. Counts, amounts and
 * dates come as they are written where the reader lives.
 */
export const ENGLISH = {
  language: 'en',
  tokens,
  anyModel: 'any model',
  forFeature: (usage: string, feature: string) => `${usage} for ${feature}`,

  frame: {
    skip: 'To the content',
    pages: 'Pages',
    usage: 'Usage and cost',
    userUsage: 'My usage',
    hours: 'Hour by hour',
    dataAsOf: (instant: string) => `Data as of ${instant}.`,
    neverCollected: 'No usage has been collected yet.',
    days: 'Days are UTC, as they are billed.',
    contact: (contact: string) => `Questions? ${contact}`,
  },

  table: {
    rows: (count: number, shown: string) => many(count, 'row', 'rows', shown),
    asCsv: (caption: string) => `${caption} as CSV`,
    filter: 'Show',
    all: 'all',
    nothingMatches: 'Nothing matches.',
    showAll: 'Show all',
    before: 'Before',
    next: 'Next',
    pages: 'Pages of the table',
    pageOf: (page: string, pages: string) => `Page ${page} of ${pages}`,
    day: 'Day',
    model: 'Model',
    feature: 'Feature',
    user: 'User',
    tokens: 'Tokens',
    requests: 'Requests',
    amount: 'Amount',
    share: 'Share',
    findUser: 'User',
  },

  unknown: 'unknown',
  noFeature: 'No feature named',
  noUser: 'No user named',
  noModel: 'No model named',
  rest: {
    base: 'Base amounts',
    notDivided: 'Not divided',
    notBilled: 'Not on these lines',
  },

  period: {
    title: (period: string) => `Usage and cost, ${period}`,
    /** Where there is no subscription. */
    none: 'Usage and cost',
    noneYet: 'No subscription is active, so there is nothing that a next invoice would hold.',
    soFar: 'Cost so far',
    atEnd: 'Cost at the end of the period',
    range: (low: string, high: string) => `${low} to ${high}`,
    rangeNote: (expected: string) => `in 8 of 10 cases; about ${expected} if it goes on like this`,
    beforeTaxes: 'before discounts and taxes',
    afterTaxes: (amount: string) => `${amount} with discounts and taxes`,
    tooLittleHistory: 'Too early to say: it takes 14 whole days of usage.',
    isOver: 'The period is over.',
    noPrice: 'Not known: some of the usage has no price yet.',
    tokens: 'Tokens',
    allowance: 'Allowance used',
    noAllowance: 'Your plan has none.',
    withoutFees: 'Fixed fees, if your plan has any, are not in these figures at the moment.',
    feesAsOf: (instant: string) => `Fixed fees, discounts and taxes are as they stood on ${instant}.`,
    openHours: (count: number, shown: string) =>
      `${many(count, 'hour is', 'hours are', shown)} still being counted; their usage follows.`,
    waiting: (tokens: string) => `${tokens} tokens are being checked and are not in these figures yet.`,
  },

  allowances: {
    title: 'What your plan includes',
    used: (used: string, included: string) => `${used} of ${included} included tokens used`,
    left: (left: string) => `${left} left`,
    spent: 'all of it is used',
    shared: (share: string) =>
      `${share} of it is left. It is shared by everybody in your organization, so it can shrink without you.`,
    sharedSpent: 'Nothing of it is left. It is shared by everybody in your organization.',
    none: 'Your plan includes no free tokens, so there is nothing that could run out.',
  },

  days: {
    costTitle: 'Cost by day and model',
    tokensTitle: 'Tokens by day and model',
    costDescription: (total: string, busiest: string) => `${total} in all; the most on ${busiest}.`,
    tokensDescription: (total: string, busiest: string) => `${total} tokens in all; the most on ${busiest}.`,
    nothing: 'Nothing was used in this period so far.',
    otherModels: 'Other models',
    asTable: 'The same as a table',
    pick: 'Pick days',
    pickHint: 'Pick a day in the drawing, or drag over several.',
    from: 'From',
    to: 'To',
    show: 'Show these days',
    whole: 'Show the whole period',
    picked: (span: string) => `Only ${span}`,
    pickedSums: (amount: string, tokens: string) => `${amount} for ${tokens} tokens.`,
    span: (from: string, to: string) => `${from} to ${to}`,
    hours: 'Hour by hour',
  },

  parts: {
    byDay: 'By day',
    byModel: 'By model',
    byFeature: 'By feature',
    byUser: 'By user',
    empty: 'Nothing was used here.',
  },

  lines: {
    soFar: 'Lines of the next invoice, so far',
    final: 'Lines of the invoice',
    line: 'Line',
    price: 'Price',
    included: 'included',
    late: (from: string, to: string) => `used ${from} to ${to}, came too late for its own invoice`,
    perMillion: (amount: string) => `${amount} per million`,
    other: 'Other lines',
    usage: 'Usage of this period',
    adjustments: 'Discounts, credits and taxes',
    total: 'Total',
    empty: 'There are no lines yet.',
    minimum: (plan: string) => `Up to the minimum of ${plan}`,
  },

  plan: {
    title: 'Your plan in plain words',
    named: (plan: string) => `You are on the plan “${plan}”.`,
    perMillion: (usage: string, amount: string) => `${usage}: ${amount} for a million.`,
    free: (usage: string) => `${usage}: nothing.`,
    package: (usage: string, size: string, amount: string, isUp: boolean) =>
      `${usage}: ${amount} for every ${size}${isUp ? ', begun ones too' : ' that are full'}.`,
    graduated: (usage: string, steps: readonly string[]) => `${usage}: ${steps.join('; ')}.`,
    volume: (usage: string, steps: readonly string[]) =>
      `${usage}, all of it at the price of where the month ends up: ${steps.join('; ')}.`,
    stepIncluded: (upTo: string) => `the first ${upTo} are included`,
    stepUpTo: (upTo: string, amount: string) => `up to ${upTo}, ${amount} for a million`,
    stepAbove: (amount: string) => `then ${amount} for a million`,
    stepAboveFree: 'then nothing',
    stepFlat: (step: string, amount: string) => `${step}, and ${amount} once`,
    notSaid: (usage: string) => `${usage}: a price that only the invoice can say.`,
    other: (name: string) => `${name}: as on your invoice.`,
    minimum: (plan: string, amount: string) => `${plan}: at least ${amount} for each period.`,
    trial: (until: string) => `Free until ${until}: a trial.`,
    empty: 'No subscription is active.',
  },

  invoices: {
    title: 'Invoices',
    number: 'Invoice',
    unnumbered: 'not numbered yet',
    period: 'Period',
    state: 'State',
    amount: 'Amount',
    states: {
      draft: 'being prepared',
      open: 'open',
      paid: 'paid',
      void: 'voided',
      uncollectible: 'not collected',
    },
    empty: 'There are no invoices yet.',
    back: 'To the current period',
  },

  invoice: {
    title: (number: string) => `Invoice ${number}`,
    unnumbered: (period: string) => `Invoice for ${period}`,
    total: 'Total of the invoice',
    toPay: 'To be paid',
    toPayNote: 'after credits and payments',
    draft: 'The invoice is being prepared and may still change.',
    voided: 'This invoice was voided: nothing of it is to be paid.',
    chosen: {
      invoiced: 'Its usage counts as billed.',
      due_again: 'Its usage is billed again, on a later invoice.',
      written_off: 'Its usage is not billed any more.',
    },
    missed: (usage: string, tokens: string, isOnLater: boolean) =>
      `${tokens} ${usage} of this period came too late for this invoice and ${isOnLater ? 'are on a later one' : 'will be on the next one'}.`,
    certificate: (hash: string) => `Closed with certificate ${hash}: source, meter and invoice agreed.`,
    csv: 'All of it as CSV',
    rounding:
      'Each line is rounded once. The tables share a line’s amount by tokens, at its average price where it has tiers, so that every table sums to the lines.',
  },

  hours: {
    title: (day: string) => `Hour by hour, ${day}`,
    lead: (zone: string) =>
      `The 24 hours of a day in UTC, as it is billed, each with its time in ${zone}. Settled usage; the newest hours follow.`,
    day: 'Day (UTC)',
    zone: 'Time zone',
    show: 'Show',
    chart: 'Tokens by hour and model',
    description: (total: string) => `${total} tokens in all.`,
    nothing: 'Nothing was used on this day.',
    table: 'Hours',
    hour: 'Hour',
    earlier: 'The day before',
    later: 'The day after',
  },

  user: {
    title: (period: string) => `My usage, ${period}`,
    tokens: 'Tokens used',
    models: 'Models used',
    left: 'What is left',
    none: 'No subscription is active, so nothing is counted yet.',
    nothing: 'You have not used anything in this period so far.',
    noInvoice: 'What it costs is on the invoice of your organization.',
  },

  missing: {
    title: 'There is nothing here',
    text: 'No page of yours has this address.',
    back: 'To the first page',
  },
  ended: {
    title: 'Your visit has ended',
    text: 'For your safety this page is open for a limited time only.',
    again: 'Open it again from where you came, or ask for a new link.',
    ask: (contact: string) => `Whom to ask: ${contact}`,
  },
  waiting: {
    title: 'This page is being prepared',
    text: 'The invoice cannot be read at the moment. Please come back in some minutes.',
  },
  failed: {
    title: 'This page cannot be shown',
    text: 'The fault is ours. Please try again in a moment.',
    reference: (id: string) => `If it stays, say this reference: ${id}`,
  },
};

export type PortalWords = typeof ENGLISH;
