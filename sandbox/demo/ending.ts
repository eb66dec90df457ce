import type { Config } from '../../src/platform/config.ts';
import { readApiSettings } from '../../src/platform/http/dependencies.ts';
import { withLocalApi } from '../../src/service/local-api.ts';
import type { SandboxTotals } from '../control.ts';
import type { DemoLog } from './demo-log.ts';
import { type FirstLookShown, lookFirst } from './first-look/look.ts';
import type { DemoReport } from './report.ts';
import type { ServedDemo } from './serve.ts';
import type { DemoSettings } from './settings.ts';
import { columnsOf, paintsFor, shownPath, wrapWords } from './terminal-text.ts';
import type { DemoWorld } from './world.ts';

/** What is said below the report: what to look at and, of a demo that is served, where. */
export async function describeEnding(
  world: DemoWorld,
  given: {
    config: Config;
    settings: DemoSettings;
    sandbox: SandboxTotals;
    experiments: DemoReport['experiments'];
    log: DemoLog;
    served: ServedDemo | null;
  },
): Promise<string> {
  const { config, settings, sandbox, served } = given;
  const { mailPageUrl } = world.sandbox.addresses;
  // One with the usual prices, where there are several.
  const customerId = (sandbox.customers[1] ?? sandbox.customers[0])?.customer ?? '';
  const names = new Map(sandbox.customers.map(({ customer, name }) => [customer, name]));
  const { look, statementUrl, portalUrl } = await withLocalApi(
    world.stores,
    world.deps.billing,
    async (ask) => {
      const look = await lookFirst(ask, {
        settings,
        experiments: given.experiments,
        nameOf: (customerId) => names.get(customerId) ?? customerId,
      });
      if (served === null) return { look, statementUrl: null, portalUrl: null };
      const link = async (path: string, body: object) => (await ask<{ url: string }>('POST', path, body)).url;
      return {
        look,
        statementUrl:
          look.invoiceId === null
            ? null
            : await link(`/v1/statements/${encodeURIComponent(look.invoiceId)}/links`, {}),
        portalUrl: await link('/v1/portal/links', { customerId }),
      };
    },
    {
      clock: world.clock,
      invoicing: world.deps.invoicing,
      settings: { ...readApiSettings(config), publicUrl: config.PUBLIC_URL ?? served?.url },
    },
  );
  return [
    ...describeLog(given.log),
    ...(look.text === '' ? [] : ['', look.text]),
    ...(served === null
      ? []
      : ['', ...describeAddresses(served, { look, statementUrl, portalUrl, mailPageUrl, customerId })]),
  ].join('\n');
}

/** Where the log lies, and what of it would look alarming. */
export function describeLog({ file, describe }: DemoLog): string[] {
  const { dim } = paintsFor(process.stdout);
  const indent = ' '.repeat(13);
  const lines = describe();
  return [
    dim(`log          ${shownPath(file)}${lines.length === 0 ? ', without a warning' : ''}`),
    ...lines.map((line) =>
      dim(`${indent}${wrapWords(line, columnsOf(process.stdout) - indent.length, indent)}`),
    ),
  ];
}

function describeAddresses(
  { url, plainKey, signInUrl }: ServedDemo,
  given: {
    look: FirstLookShown;
    statementUrl: string | null;
    portalUrl: string | null;
    mailPageUrl: string | null;
    customerId: string;
  },
): string[] {
  const { statementUrl, portalUrl, mailPageUrl, customerId } = given;
  const { quote, lookedAt } = given.look;
  const [from, to] = [lookedAt.from, lookedAt.to].map((instant) => instant.slice(0, 10));
  const { accent, bold } = paintsFor(process.stdout);
  const command = process.env.npm_lifecycle_event === 'start' ? 'npm run -s tallystick --' : 'tallystick';
  const addresses = [
    ['API', `${url}/docs`],
    ['key', plainKey],
    ...(quote === null ? [] : [['quote', quote.pageUrl]]),
    ...(statementUrl === null ? [] : [['statement', statementUrl]]),
    ...(portalUrl === null ? [] : [['portal', portalUrl]]),
    ...(mailPageUrl === null ? [] : [['mail', mailPageUrl]]),
  ] as const;
  return [
    bold('Where to look'),
    ...addresses.map(([name, address]) => `  ${String(name).padEnd(9)}  ${accent(String(address))}`),
    '',
    bold('Try it, in another terminal'),
    `  ${command} status`,
    `  ${command} costs --from ${from} --to ${to} --group-by feature,model`,
    `  ${command} preview ${customerId}`,
    `  curl -s -H 'Authorization: Bearer ${plainKey}' \\`,
    `    ${url}/v1/customers/${customerId}/invoice-preview`,
    '',
    'Ctrl-C stops it cleanly; the next start goes on from here.',
    '',
    `${bold('Open this, signed in (works once):')}\n${accent(signInUrl)}`,
  ];
}
