import type { Command } from 'commander';
import { type CommandFrame, toQuery } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import type { AlertView, RouteView } from './schemas.ts';

type Options = Record<string, string | string[] | boolean | undefined>;

/** `tallystick alerts`. */
export function addAlertsCommand(program: Command, frame: CommandFrame): void {
  const alerts = program
    .command('alerts')
    .description('what people were told, what became of it, and where alerts go');
  alerts
    .command('list', { isDefault: true })
    .description('the newest first')
    .option(
      '--kind <kind>',
      'budget, anomaly, drift, held_invoice, quarantine_age, price_change, failed_close ...',
    )
    .option('--customer <id>', 'only about this customer')
    .option('--state <state>', 'only with a delivery in this state, e.g. given_up')
    .option('--limit <count>', 'most to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['kind', 'state', 'limit', 'cursor', ['customer', 'customerId']]);
        const found = await ask<{ alerts: AlertView[]; nextCursor: string | null }>(
          'GET',
          `/v1/alerts?${query}`,
        );
        print(options.json === true, found, () => renderAlerts(found));
      }),
    );
  alerts
    .command('acknowledge <id>')
    .description('say that somebody sees to it')
    .option('--reason <text>', 'kept in the audit log')
    .option('--json', 'print as JSON')
    .action((id: string, { reason, json }: { reason?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const path = `/v1/alerts/${encodeURIComponent(id)}/acknowledge`;
        const said = await ask<AlertView>('POST', path, reason === undefined ? {} : { reason });
        print(json === true, said, () => `Alert ${said.id} is acknowledged.`);
      }),
    );
  alerts
    .command('resend <id>')
    .description('send it to a route again')
    .requiredOption('--route <id>', 'from "tallystick alerts routes"')
    .option('--json', 'print as JSON')
    .action((id: string, { route, json }: { route: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const path = `/v1/alerts/${encodeURIComponent(id)}/resend`;
        const sent = await ask<AlertView>('POST', path, { routeId: route });
        print(json === true, sent, () => `Alert ${sent.id} is on its way.`);
      }),
    );
  addRouteCommands(alerts, frame);
}

function addRouteCommands(alerts: Command, frame: CommandFrame): void {
  alerts
    .command('routes')
    .description('where alerts go')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const found = await ask<{ routes: RouteView[] }>('GET', '/v1/alert-routes');
        print(options.json === true, found, () => renderRoutes(found.routes));
      }),
    );
  alerts
    .command('add-route')
    .description('have alerts sent somewhere, from now on')
    .requiredOption('--name <name>', 'what it is called')
    .requiredOption('--channel <channel>', 'email, slack, teams or webhook')
    .option('--to <address...>', 'mail addresses')
    .option('--url <url>', 'of a signed webhook')
    .option('--secret <name>', 'the variable with the secret, ALERT_SECRET_...')
    .option('--audience <audience>', 'operator or customer')
    .option('--customer <id>', 'only about this customer')
    .option('--kind <kind...>', 'only these kinds')
    .option('--severity <severity>', 'at least info, warning or urgent')
    .option('--time-zone <zone>', 'e.g. Europe/Berlin')
    .option('--quiet <from-until>', 'e.g. 22:00-07:00')
    .option('--urgent-waits', 'also what is urgent waits for the end of quiet hours')
    .option('--hourly-limit <count>', 'most in an hour; the rest is told as one')
    .option('--locale <locale>', 'en or de, for a customer')
    .option('--subject <text>', 'for a customer, with words such as {budget}')
    .option('--body <text>', 'for a customer, with words such as {used}')
    .option('--digest <every>', 'day or week')
    .option('--digest-at <time>', 'e.g. 08:00')
    .option('--skip-empty-digest', 'send none with nothing to say')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const route = await ask<RouteView>('POST', '/v1/alert-routes', toBody(options));
        print(options.json === true, route, () => `Alerts go to ${route.name} (${route.id}) from now on.`);
      }),
    );
  for (const [verb, description, said] of [
    ['test', 'send a test there', 'A test is on its way to'],
    ['end-route', 'send nothing there any more', 'Nothing goes any more to'],
  ] as const) {
    alerts
      .command(`${verb} <routeId>`)
      .description(description)
      .option('--json', 'print as JSON')
      .action((routeId: string, options: Options) =>
        frame.askApi(async (ask) => {
          const act = verb === 'test' ? 'test' : 'end';
          const path = `/v1/alert-routes/${encodeURIComponent(routeId)}/${act}`;
          const route = await ask<RouteView>('POST', path, {});
          print(options.json === true, route, () => `${said} ${route.name}.`);
        }),
      );
  }
}

/** What was given, under the names of the API; it judges them. */
function toBody(options: Options): object {
  const [quietFrom, quietUntil] = typeof options.quiet === 'string' ? options.quiet.split('-') : [];
  const given = {
    name: options.name,
    channel: options.channel,
    emailAddresses: options.to,
    url: options.url,
    secretName: options.secret,
    audience: options.audience,
    customerId: options.customer,
    kinds: options.kind,
    leastSeverity: options.severity,
    timeZone: options.timeZone,
    quietFrom,
    quietUntil,
    urgentPasses: options.urgentWaits === true ? false : undefined,
    hourlyLimit: options.hourlyLimit === undefined ? undefined : Number(options.hourlyLimit),
    locale: options.locale,
    subjectTemplate: options.subject,
    bodyTemplate: options.body,
    digest: options.digest,
    digestAt: options.digestAt,
    skipsEmptyDigest: options.skipEmptyDigest,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function renderAlerts({ alerts, nextCursor }: { alerts: AlertView[]; nextCursor: string | null }): string {
  const rows = alerts.map((alert) => [
    alert.id,
    alert.raisedAt.slice(0, 16),
    alert.severity,
    alert.kind.replaceAll('_', ' '),
    alert.subject,
    alert.deliveries
      .map(
        ({ routeName, state, lastError }) =>
          `${routeName}: ${state.replaceAll('_', ' ')}${state === 'sent' || lastError === null ? '' : ` (${lastError})`}`,
      )
      .join('\n'),
  ]);
  return [
    renderTable(['id', 'raised', 'severity', 'kind', 'what', 'routes'], rows),
    ...(nextCursor === null ? [] : [`More: --cursor ${nextCursor}`]),
  ].join('\n');
}

function renderRoutes(routes: RouteView[]): string {
  if (routes.length === 0) return 'Alerts go nowhere yet: "tallystick alerts add-route" says how.';
  const rows = routes.map((route) => [
    route.id,
    route.name,
    route.channel,
    route.host ?? route.secretName ?? route.emailAddresses.join(', '),
    route.customerId ?? '',
    route.kinds.join(', ').replaceAll('_', ' ') || 'all',
    route.leastSeverity,
    route.quietFrom === null ? '' : `${route.quietFrom}-${route.quietUntil} ${route.timeZone}`,
    route.digest === 'none' ? '' : `${route.digest} ${route.digestAt}`,
  ]);
  return renderTable(
    ['id', 'name', 'channel', 'where', 'customer', 'kinds', 'from', 'quiet', 'digest'],
    rows,
  );
}
