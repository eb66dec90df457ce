import type { Command } from 'commander';
import type { QuoteBody } from '../api/quote-schemas.ts';
import { ValidationError } from '../errors.ts';
import { withLocalApi } from './local-api.ts';
import { createOptionalBilling } from './optional-billing.ts';
import { groupDigits, print, renderTable } from './output.ts';
import { withStores } from './setup.ts';

interface QuoteOptions {
  usage?: string[];
  like?: string;
  scale?: string;
  customer?: string;
  currency?: string;
  json?: boolean;
}

export function addQuoteCommand(program: Command): void {
  program
    .command('quote')
    .description('what would this usage cost us, and bring us?')
    .option(
      '--usage <tokens...>',
      'model:prompt:completion[:cached], one or more; cached is a part of prompt',
    )
    .option('--like <customer>', "instead: this customer's settled usage of the last 30 days")
    .option('--scale <factor>', 'multiply that usage, e.g. 1.5')
    .option('--customer <customer>', "at this customer's prices instead of the usual ones")
    .option('--currency <code>', 'usd, eur, ...')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nEvery quote is stored; the API gives it again at /v1/quotes/{id}.\n\n  tallystick quote --usage gpt-4o:1000000:200000 gpt-4o-mini:5000000:900000:1000000',
    )
    .action((options: QuoteOptions) =>
      withStores(async ({ config, stores }) => {
        const request = {
          ...(options.usage === undefined ? {} : { usage: options.usage.map(readUsage) }),
          ...(options.like === undefined ? {} : { likeCustomer: options.like }),
          ...(options.scale === undefined ? {} : { scale: options.scale }),
          ...(options.customer === undefined ? {} : { customerId: options.customer }),
          ...(options.currency === undefined ? {} : { currency: options.currency }),
        };
        const quote = await withLocalApi(stores, createOptionalBilling(config), (ask) =>
          ask<QuoteBody>('POST', '/v1/quotes', request),
        );
        print(options.json === true, quote, () => renderQuote(quote));
      }),
    );
}

/** `model:prompt:completion[:cached]`; a model name may not hold a colon. */
function readUsage(text: string): object {
  const [model, promptTokenCount, completionTokenCount, cachedPromptTokenCount, ...rest] = text.split(':');
  if (!model || promptTokenCount === undefined || completionTokenCount === undefined || rest.length > 0) {
    throw new ValidationError(
      '--usage',
      `"${text}" is not model:prompt:completion[:cached]`,
      'Write gpt-4o:1000000:200000.',
    );
  }
  return {
    model,
    promptTokenCount,
    completionTokenCount,
    ...(cachedPromptTokenCount ? { cachedPromptTokenCount } : {}),
  };
}

function renderQuote(quote: QuoteBody): string {
  const figure = (value: { amount: string | null; reason: string | null }) =>
    value.amount ?? `unknown: ${value.reason}`;
  const lines = quote.lines.map((line) => [
    line.model,
    line.feature,
    line.tokenType,
    groupDigits(line.tokenCount),
    figure(line.cost),
    figure(line.price),
    figure(line.margin),
  ]);
  const cost = quote.costCurrency.toUpperCase();
  const price = quote.currency.toUpperCase();
  return [
    renderTable(
      ['model', 'feature', 'token type', 'tokens', `cost ${cost}`, `price ${price}`, 'margin'],
      lines,
      [3, 4, 5, 6],
    ),
    `cost ${figure(quote.totals.cost)} ${cost}, price ${figure(quote.totals.price)} ${price}, margin ${figure(quote.totals.margin)} (${figure(quote.totals.marginPercent)} %)`,
    `${quote.quoteId}, price book ${quote.priceBookVersion}, ${quote.createdAt}`,
  ].join('\n');
}
