import { sql } from 'kysely';
import { meterEventName } from '../../sandbox/stripe/seed.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { findAccrualFaults } from '../setup/accruals.ts';
import { checkInvoices } from './closing/money.ts';
import { countStranded } from './closing/next-period.ts';
import { readInvoices } from './closing/read-invoices.ts';
import { checkOnlyDelayed } from './delayed.ts';
import { addFigures, readStoredFigures } from './figures.ts';
import { checkCloses } from './invoices.ts';
import { bucketsOf, FIGURES, type Figure, type OracleCell } from './oracle/oracle.ts';
import { isOfTokens, keyOfEvent, type Witness } from './witness.ts';
import type { World } from './world.ts';

/** Reasons under which usage waits that its invoice cannot take any more, or that comes after a subscription has ended. */
const CARRIED = ['carry_to_next_invoice', 'no_subscription_item'];

/** What must hold at every moment: the ledger loses nothing of what it collected, and claims nothing it has not. */
export async function checkAtAnyMoment(world: World, ledger: LedgerDatabase): Promise<void> {
  const { witness } = world;
  witness.checkNothingOverBilled();
  if (world.profile.isOnlyDelayed) await checkOnlyDelayed(world, ledger);
  const totals = await readTokenTotals(ledger);
  if (totals.differenceTokenCount !== 0n)
    witness.report(
      `of ${totals.collectedTokenCount} tokens that the ledger collected it does not account for ${totals.differenceTokenCount}`,
    );
  for (const fault of await findAccrualFaults(ledger)) witness.report(`the report of accruals: ${fault}`);
  const source = sumOf([...witness.oracle.cells.values()].map((cell) => cell.prompt + cell.completion));
  const broken = sumOf(witness.oracle.quarantined.values()) + witness.oracle.doubtfulTokenCount;
  if (totals.collectedTokenCount > source + broken)
    witness.report(`the ledger collected ${totals.collectedTokenCount} tokens of ${source + broken}`);
  const billed = world.stripe.tokenTotal();
  const invoiced = world.stripe.invoicedTokenTotal();
  if (totals.invoicedTokenCount > invoiced)
    witness.report(
      `the ledger says ${totals.invoicedTokenCount} tokens are invoiced, on invoices are ${invoiced}`,
    );
  // Unless it took some and lost them, which takes time to find.
  if (world.profile.stripeDropRate === 0 && totals.deliveredTokenCount > billed)
    witness.report(
      `the ledger says ${totals.deliveredTokenCount} tokens are delivered, Stripe has ${billed}`,
    );
}

/** What must hold when all has settled: oracle = OpenMeter = Stripe + quarantine, cell by cell, and nothing due. */
export async function checkAtTheEnd(world: World, ledger: LedgerDatabase): Promise<void> {
  const { witness } = world;
  await checkAtAnyMoment(world, ledger);
  const refused = refusedByKey(witness);
  settleDoubtful(world, refused);
  checkOpenMeter(world, refused);
  await checkStripe(world, ledger, refused);
  await checkInvoices(world, ledger);
  await checkCloses(world, ledger);
  const totals = await readTokenTotals(ledger);
  if (totals.dueTokenCount !== 0n) witness.report(`${totals.dueTokenCount} tokens are still due at the end`);
  const { inLedger, byStripe } = await countStranded(world, ledger);
  if (inLedger !== byStripe)
    witness.report(`${inLedger} tokens of late items wait for a next invoice, by Stripe's ${byStripe} do`);
  const invoiced = world.stripe.invoicedTokenTotal();
  if (totals.invoicedTokenCount !== invoiced)
    witness.report(
      `on final invoices are ${invoiced} tokens, and the ledger says ${totals.invoicedTokenCount}`,
    );
  const expected = expectedQuarantine(world, refused);
  // Held against the oracle cell by cell above.
  for (const reason of CARRIED) expected.set(reason, totals.quarantinedByReason[reason] ?? 0n);
  for (const reason of new Set([...expected.keys(), ...Object.keys(totals.quarantinedByReason)])) {
    const [have, want] = [totals.quarantinedByReason[reason] ?? 0n, expected.get(reason) ?? 0n];
    if (have !== want) witness.report(`${have} tokens are in quarantine as ${reason}, and should be ${want}`);
  }
}

/** Everything that a replay must leave as it is, as one text. */
export async function describeState(world: World, ledger: LedgerDatabase): Promise<string> {
  // What was refused is tried again now and then, so attempts and their times are no part of it. Of usage whose period
  // ends in a replay it may turn out that no invoice has it, which is looked at row by row and not here.
  const tables = {
    source_items: 'source_item_id, metric_name, usage_event_id, quarantine_reason, token_count',
    usage_events: 'usage_event_id, body, status, quarantine_reason',
    // A period that ends in a month of replay tells of what was delivered long ago whether a line has it.
    hourly_usage:
      "window_start, subject, model, token_type, revision, delta_token_count, coalesce(meter_push_id, former_push_id), nullif(quarantine_reason, 'uninvoiced')",
    meter_pushes: 'identifier, sent_value, delta_token_count, status',
  };
  const parts: string[] = [];
  for (const [table, columns] of Object.entries(tables)) {
    const counted = await sql<{ digest: string }>`
      select count(*) || ' ' || coalesce(md5(string_agg(line, '' order by line)), '') as digest
      from (select md5(row(${sql.raw(columns)})::text) as line from ${sql.table(table)}) lines`.execute(
      ledger,
    );
    parts.push(`${table} ${counted.rows[0]?.digest}`);
  }
  parts.push(`openmeter ${world.openMeter.tokenTotal()}`, `stripe ${world.stripe.tokenTotal()}`);
  return parts.join('; ');
}

/**
 * Which of the outcomes that each minute in doubt may have is the one it has: what OpenMeter took or refused of it says so.
 * All the rest must wait.
 */
function settleDoubtful(
  { witness, openMeter }: World,
  refused: ReadonlyMap<string, Record<Figure, bigint>>,
): void {
  const { cells, doubtful, quarantined } = witness.oracle;
  const stored = readStoredFigures(openMeter);
  for (const [key, outcomes] of doubtful) {
    const have = (figure: Figure) => (stored.get(key)?.[figure] ?? 0n) + (refused.get(key)?.[figure] ?? 0n);
    const outcome = outcomes.find(({ cell }) => FIGURES.every((figure) => cell[figure] === have(figure)));
    if (outcome === undefined) {
      const figures = FIGURES.map((figure) => `${figure} ${have(figure)}`).join(', ');
      witness.report(`of a minute that contradicts itself, ${key}, became usage: ${figures}`);
      continue;
    }
    cells.set(key, outcome.cell);
    add(quarantined, 'counts_disagree', outcome.heldTokenCount);
  }
}

function checkOpenMeter(world: World, refused: ReadonlyMap<string, Record<Figure, bigint>>): void {
  const { witness } = world;
  const stored = readStoredFigures(world.openMeter);
  for (const key of new Set([...stored.keys(), ...witness.oracle.cells.keys()])) {
    for (const figure of FIGURES) {
      const want = (witness.oracle.cells.get(key)?.[figure] ?? 0n) - (refused.get(key)?.[figure] ?? 0n);
      const have = stored.get(key)?.[figure] ?? 0n;
      if (have !== want) witness.report(`OpenMeter has ${have} ${figure} of ${key}, and should have ${want}`);
    }
  }
}

async function checkStripe(
  world: World,
  ledger: LedgerDatabase,
  refused: ReadonlyMap<string, Record<Figure, bigint>>,
): Promise<void> {
  const { witness, stripe } = world;
  const want = new Map<string, bigint>();
  for (const cell of billableCells(world, refused)) {
    for (const [type, count] of Object.entries(bucketsOf(cell)))
      add(want, `${cell.tenantKey} ${cell.hourMs} ${meterEventName(cell.model, type)}`, count);
  }
  const have = new Map<string, bigint>();
  for (const { tenantKey, hourMs, eventName, value } of stripe.usageByHour())
    if (isOfTokens(eventName)) add(have, `${tenantKey} ${hourMs} ${eventName}`, value);
  const carried = await readCarried(world, ledger);
  const uninvoiced = await readUninvoiced(world, ledger);
  for (const key of new Set([...want.keys(), ...have.keys(), ...carried.keys()])) {
    const [wanted, had, carries] = [want.get(key) ?? 0n, have.get(key) ?? 0n, carried.get(key) ?? 0n];
    const missing = wanted - had - carries;
    // What Stripe took and lost, and its final invoice lacks, is uninvoiced, also once a later invoice has billed it;
    // what it has on no invoice is, too.
    if (missing !== 0n && (missing < 0n || missing > (uninvoiced.get(key) ?? 0n)))
      witness.report(`Stripe has ${had} of ${key}, ${carries} are carried, and it should have ${wanted}`);
  }
  const unknown = await ledger
    .selectFrom('meter_pushes')
    .select(['identifier', 'status'])
    .where('status', 'not in', ['delivered', 'withdrawn'])
    .execute();
  for (const push of unknown) witness.report(`push ${push.identifier} ended as ${push.status}`);
}

/** Usage that was delivered and that no line of its meter has: it waits, or is a late item that Stripe has on a final invoice. */
async function readUninvoiced(world: World, ledger: LedgerDatabase): Promise<Map<string, bigint>> {
  const invoices = await readInvoices(world);
  const billedItems = new Set(
    invoices.flatMap(({ tenantKey, lines }) =>
      lines.map(({ metadata }) => `${tenantKey} ${metadata.tallystick_late_item}`),
    ),
  );
  const rows = await ledger
    .selectFrom('hourly_usage')
    .select(['customer_id', 'window_start', 'model', 'token_type', 'delta_token_count', 'late_item_id'])
    .where('uninvoiced_id', 'is not', null)
    .execute();
  const uninvoiced = new Map<string, bigint>();
  for (const row of rows) {
    if (row.late_item_id !== null && !billedItems.has(`${row.customer_id} ${row.late_item_id}`)) continue;
    const eventName = meterEventName(row.model, row.token_type);
    add(uninvoiced, `${row.customer_id} ${row.window_start.getTime()} ${eventName}`, row.delta_token_count);
  }
  return uninvoiced;
}

/** Usage of a period whose invoice was final before it could be pushed, and usage that no subscription is left for. */
async function readCarried(world: World, ledger: LedgerDatabase): Promise<Map<string, bigint>> {
  const rows = await ledger
    .selectFrom('hourly_usage')
    .select(['customer_id', 'window_start', 'model', 'token_type', 'delta_token_count', 'quarantine_reason'])
    .where('quarantine_reason', 'in', CARRIED)
    .execute();
  const { witness, scenario, person } = world;
  const carried = new Map<string, bigint>();
  for (const row of rows) {
    const tenantKey = row.customer_id ?? '';
    const eventName = meterEventName(row.model, row.token_type);
    const startMs = row.window_start.getTime();
    const endedMs = person.endedAtMs.get(tenantKey) ?? Number.POSITIVE_INFINITY;
    const periodEndMs =
      scenario.customers.find((customer) => customer.tenantKey === tenantKey)?.billingAnchorMs ?? 0;
    const swap = person.swaps.find((one) => one.tenantKey === tenantKey && one.eventName === eventName);
    const isGrounded =
      row.quarantine_reason === 'no_subscription_item'
        ? startMs + HOUR_MS > endedMs
        : [periodEndMs, person.endedAtMs.get(tenantKey), swap?.atMs].some(
            (instant) => startMs < (instant ?? 0) && (instant ?? 0) < world.clock.nowMs(),
          );
    if (!isGrounded)
      witness.report(
        `usage of ${row.window_start.toISOString()} of ${tenantKey} waits as ${row.quarantine_reason}`,
      );
    add(carried, `${tenantKey} ${startMs} ${eventName}`, row.delta_token_count);
  }
  return carried;
}

/** Cells of customers and models that Stripe knows, less what OpenMeter refused of them. */
function billableCells(world: World, refused: ReadonlyMap<string, Record<Figure, bigint>>): OracleCell[] {
  const tenants = new Set(world.scenario.customers.map((customer) => customer.tenantKey));
  const models = new Set(world.scenario.models.map((model) => model.model));
  return acceptedCells(world, refused).filter(
    (cell) => tenants.has(cell.tenantKey) && models.has(cell.model),
  );
}

function acceptedCells(world: World, refused: ReadonlyMap<string, Record<Figure, bigint>>): OracleCell[] {
  return [...world.witness.oracle.cells].map(([key, cell]) => {
    const less = refused.get(key);
    if (less === undefined) return cell;
    return {
      ...cell,
      prompt: cell.prompt - less.prompt,
      cached: cell.cached - less.cached,
      completion: cell.completion - less.completion,
    };
  });
}

function expectedQuarantine(
  world: World,
  refused: ReadonlyMap<string, Record<Figure, bigint>>,
): Map<string, bigint> {
  const expected = new Map(world.witness.oracle.quarantined);
  for (const figures of refused.values())
    add(expected, 'refused_by_openmeter', figures.prompt + figures.completion);
  const tenants = new Set(world.scenario.customers.map((customer) => customer.tenantKey));
  const models = new Set(world.scenario.models.map((model) => model.model));
  for (const cell of acceptedCells(world, refused)) {
    if (!tenants.has(cell.tenantKey)) add(expected, 'no_customer', cell.prompt + cell.completion);
    else if (!models.has(cell.model)) add(expected, 'no_binding', cell.prompt + cell.completion);
  }
  return expected;
}

function refusedByKey(witness: Witness): Map<string, Record<Figure, bigint>> {
  const refused = new Map<string, Record<Figure, bigint>>();
  for (const event of witness.refused.values()) addFigures(refused, keyOfEvent(event), event.data);
  return refused;
}

function add(into: Map<string, bigint>, key: string, count: bigint): void {
  const sum = (into.get(key) ?? 0n) + count;
  into.set(key, sum);
}

function sumOf(counts: Iterable<bigint>): bigint {
  let sum = 0n;
  for (const count of counts) sum += count;
  return sum;
}
