import type { Command } from 'commander';
import { TELLABLE_PARTS } from '../../pricing/usage/untold.ts';
import { ValidationError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { print, printCsv, SEPARATOR_OPTION } from '../platform/terminal/output.ts';
import { quoteTable } from './csv.ts';
import type { QuoteBody } from './schemas.ts';
import { renderQuote } from './text.ts';

/** Parts of a prompt or completion by their token types, and the fields of a request that hold them. */
const FIELD_OF_PART = new Map<string, string>(
  TELLABLE_PARTS.map(({ tokenType, property }) => [tokenType, property]),
);
const PART_NAMES = [...FIELD_OF_PART.keys()];

interface QuoteOptions {
  usage?: string[];
  like?: string;
  period?: string;
  users?: string[];
  scale?: string;
  customer?: string;
  mode?: string;
  plan?: string;
  at?: string;
  currency?: string;
  swap?: string[];
  cached?: string;
  batch?: string;
  region?: string;
  deployment?: string;
  deploymentType?: string;
  serviceTier?: string;
  requestInput?: string;
  margin?: string;
  validDays?: string;
  title?: string;
  for?: string;
  csv?: boolean;
  separator?: string;
  json?: boolean;
}

export function addQuoteCommand(program: Command, frame: CommandFrame): void {
  program
    .command('quote')
    .description('what would this usage cost us, and bring us?')
    .option(
      '--usage <tokens...>',
      'model:prompt:completion[:cached][:part=count...], one or more; parts are of prompt or completion',
    )
    .option('--like <customer>', "instead: this customer's settled usage of the last 30 days")
    .option('--period <month>', 'of this calendar month instead, e.g. 2026-10')
    .option('--scale <factor>', 'multiply that usage, e.g. 1.5')
    .option('--users <users...>', 'instead: feature:count, so many active users as ours were')
    .option('--customer <customer>', "at this customer's prices instead of the usual ones")
    .option(
      '--mode <mode>',
      "new, merge (on top of the customer's current period) or replace (instead of it)",
    )
    .option('--plan <plan>', 'at the prices of this plan')
    .option('--at <instant>', 'list prices and plan as of then')
    .option('--currency <code>', 'usd, eur, ...')
    .option('--swap <models...>', 'from:to, use another model instead')
    .option('--cached <share>', 'share of prompt tokens that are cached, e.g. 0.4')
    .option('--batch <share>', 'share of all tokens that run as batch')
    .option('--region <region>', 'where all of it runs, e.g. swedencentral')
    .option('--deployment <name>', 'with --usage: which of our deployments would serve all of it')
    .option('--deployment-type <type>', 'global, data_zone, regional, batch, developer or provisioned')
    .option('--service-tier <tier>', 'standard, priority or flex: how all of it is processed')
    .option('--request-input <tokens>', 'input tokens of each request, where long ones cost more')
    .option('--margin <percent>', 'also the price that reaches this margin')
    .option('--valid-days <days>', 'how long it is valid (30)')
    .option('--title <text>', 'title of its page')
    .option('--for <name>', 'whom its page names')
    .option('--csv', 'print as CSV')
    .option(...SEPARATOR_OPTION)
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Every quote is stored; the API gives it again at /v1/quotes/{id}.

Parts are ${PART_NAMES.join(', ')}.
A model with a price for one of them has a cost once you say how many there are, 0 if none.

  tallystick quote --usage gpt-4o:1000000:200000 gpt-4o-mini:5000000:900000:1000000
  tallystick quote --usage gpt-4o-audio-preview:600:900:prompt_audio=500:completion_audio=800
  tallystick quote --like northwind --scale 1.5 --plan standard --margin 35
  tallystick quote --users chat:200 --swap gpt-4o:gpt-4.1 --customer northwind --mode merge`,
    )
    .action((options: QuoteOptions) =>
      frame.askApi(async (ask) => {
        const quote = await ask<QuoteBody>('POST', '/v1/quotes', readRequest(options));
        if (options.csv === true) printCsv(quoteTable(quote), options);
        else print(options.json === true, quote, () => renderQuote(quote));
      }),
    );
}

/** @throws ValidationError for what could not even be sent; the API judges the rest */
export function readRequest(options: QuoteOptions): object {
  if (options.like === undefined && options.period !== undefined) {
    throw new ValidationError('--period', 'goes with --like only');
  }
  if (options.usage === undefined && options.deployment !== undefined) {
    throw new ValidationError('--deployment', 'goes with --usage only');
  }
  const adjustments = defined({
    modelSwaps: options.swap?.map(readSwap),
    cachedShare: options.cached,
    batchShare: options.batch,
    region: options.region,
    deploymentType: options.deploymentType,
    serviceTier: options.serviceTier,
    requestInputTokenCount: options.requestInput,
  });
  const like =
    options.like === undefined
      ? undefined
      : defined({ customerId: options.like, period: options.period, scale: options.scale });
  return defined({
    usage: options.usage?.map((text) => defined({ ...readUsage(text), deployment: options.deployment })),
    likeCustomer: like,
    scale: like === undefined ? options.scale : undefined,
    activeUsers: options.users?.map(readUsers),
    adjustments: Object.keys(adjustments).length === 0 ? undefined : adjustments,
    customerId: options.customer,
    mode: options.mode,
    planId: options.plan,
    at: options.at,
    currency: options.currency,
    targetMarginPercent: options.margin,
    validDays: options.validDays === undefined ? undefined : Number(options.validDays),
    title: options.title,
    preparedFor: options.for,
  });
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** `model:prompt:completion[:cached][:part=count...]`; a model name may not hold a colon. */
function readUsage(text: string): object {
  const [model, promptTokenCount, completionTokenCount, ...rest] = text.split(':');
  const parts = rest.filter((word) => word.includes('='));
  const [cachedPromptTokenCount, ...more] = rest.filter((word) => !word.includes('='));
  if (!model || promptTokenCount === undefined || completionTokenCount === undefined || more.length > 0) {
    throw new ValidationError(
      '--usage',
      `"${text}" is not model:prompt:completion[:cached][:part=count...]`,
      'Write gpt-4o:1000000:200000.',
    );
  }
  return {
    model,
    promptTokenCount,
    completionTokenCount,
    ...(cachedPromptTokenCount ? { cachedPromptTokenCount } : {}),
    ...Object.fromEntries(parts.map(readPart)),
  };
}

function readPart(text: string): [string, string] {
  const [name = '', count = '', ...rest] = text.split('=');
  const field = FIELD_OF_PART.get(name);
  if (field === undefined || count === '' || rest.length > 0) {
    throw new ValidationError(
      '--usage',
      `"${text}" is no part of a prompt or completion`,
      `Write prompt_audio=500; parts are ${PART_NAMES.join(', ')}.`,
    );
  }
  return [field, count];
}

/** `feature:count`; the last colon divides, because a feature's name may hold others. */
function readUsers(text: string): object {
  const colon = text.lastIndexOf(':');
  if (colon < 1) throw new ValidationError('--users', `"${text}" is not feature:count`, 'Write chat:200.');
  return { feature: text.slice(0, colon), count: text.slice(colon + 1) };
}

function readSwap(text: string): object {
  const [from, to, ...rest] = text.split(':');
  if (!from || !to || rest.length > 0) {
    throw new ValidationError('--swap', `"${text}" is not from:to`, 'Write gpt-4o:gpt-4.1.');
  }
  return { from, to };
}
