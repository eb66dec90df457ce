import type { AskApi } from '../../../src/platform/terminal/frame.ts';
import type { DemoSettings } from '../settings.ts';
import { decideFirstLook } from './decide.ts';
import { type FirstLookFacts, gatherFirstLook, type LookedAt, quoteSwap, type SwapQuote } from './gather.ts';
import { showFirstLook } from './show.ts';

export interface FirstLookShown {
  text: string;
  /** A quote that was made to know what another model would cost. */
  quote: SwapQuote | null;
  lookedAt: LookedAt;
  /** A final invoice whose statement is worth a look. */
  invoiceId: string | null;
}

/** Asks the API what this run holds, as anybody could, and says what is worth a look. */
export async function lookFirst(
  ask: AskApi,
  {
    settings,
    experiments,
    nameOf,
  }: {
    settings: DemoSettings;
    experiments: FirstLookFacts['experiments'];
    nameOf: (customerId: string) => string;
  },
): Promise<FirstLookShown> {
  const facts = { ...(await gatherFirstLook(ask, settings)), experiments };
  const look = decideFirstLook(facts);
  let quote: SwapQuote | null = null;
  const { wrongModel } = look;
  for (const to of wrongModel?.candidates ?? []) {
    if (wrongModel === null) break;
    const swap = await quoteSwap(ask, {
      ...wrongModel,
      from: wrongModel.model,
      to,
      lookedAt: facts.lookedAt,
    });
    if (swap === null) continue;
    quote = swap;
    break;
  }
  return {
    text: showFirstLook(look, facts, quote, nameOf),
    quote,
    lookedAt: facts.lookedAt,
    invoiceId:
      look.waited?.close.invoiceId ??
      facts.closes.find(({ state }) => state === 'finalized')?.invoiceId ??
      null,
  };
}
