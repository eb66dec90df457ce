import { judge, type ReadField } from './contract.ts';
import type { Exchange } from './exchange.ts';
import { replay } from './replay.ts';
import { type StripeContractOptions, stripeContract } from './stripe-contract.ts';
import { type StripeMockModule, startStripeMock } from './stripe-mock.ts';

/** What Stripe's description, and then its own stand-in, say against what was recorded; empty: nothing. */
export async function judgeStripe(
  module: StripeMockModule,
  options: StripeContractOptions,
  exchanges: readonly Exchange[],
  fields: readonly ReadField[],
): Promise<string[]> {
  const contract = stripeContract(module.openApi, options);
  const server = await startStripeMock(module.binary);
  try {
    const described = exchanges.filter(({ path }) => !isBeyond(options, path));
    return [...(await judge(contract, exchanges, fields)), ...(await replay(server.url, described))].sort();
  } finally {
    await server.close();
  }
}

function isBeyond({ beyond }: StripeContractOptions, path: string): boolean {
  return Object.keys(beyond).some((route) => {
    const template = (route.split(' ')[1] ?? '').replaceAll(/\{[^}]+\}/g, '[^/]+');
    return new RegExp(`^${template}$`).test(path);
  });
}
