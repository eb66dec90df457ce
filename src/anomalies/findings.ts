import { type RawBuilder, sql } from 'kysely';
import type { Explanation } from '../../pricing/anomalies/decide.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import type { Shape } from '../../pricing/anomalies/shape.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

export const FINDING_STATES = ['open', 'ended', 'withdrawn'] as const;
/**
 * Where a finding stands for people. `needs_you`: raised, and nobody said anything of it; `acknowledged`; `done`: dismissed,
 * withdrawn or snoozed; `highlighted`: by the rule of two sigmas alone, or explained.
 */
export const FINDING_GROUPS = ['needs_you', 'acknowledged', 'done', 'highlighted'] as const;
export type FindingGroup = (typeof FINDING_GROUPS)[number];
/** The same, where what is snoozed stands apart from what is done for good. */
export type FindingStanding = FindingGroup | 'snoozed';

/** Usage of one customer that stands out, for as long as it does. */
export interface Finding {
  findingId: bigint;
  customerId: string;
  customerName: string;
  firstHour: Date;
  lastHour: Date;
  state: (typeof FINDING_STATES)[number];
  group: FindingGroup;
  shape: Shape | null;
  explanations: Explanation[];
  raisedAt: Date | null;
  moved: { dimension: 'user' | 'feature' | 'model'; value: string; sharePercent: number }[];
  costPicoUsd: bigint;
  usualPicoUsd: bigint;
  excessPicoUsd: bigint;
  dayAheadPicoUsd: bigint;
  score: string | null;
  sigmaScore: string | null;
  isAboveSigma: boolean;
  openedAt: Date;
  endedAt: Date | null;
  decision: 'acknowledged' | 'dismissed' | null;
  decisionReason: string | null;
  decidedBy: string | null;
  decidedAt: Date | null;
  snoozedUntil: Date | null;
}

export interface FindingFilter {
  group?: FindingGroup | undefined;
  /** Of one of these. */
  standings?: readonly FindingStanding[] | undefined;
  customerId?: string | undefined;
  /** Whether a person should see it although it needs nobody: above two sigmas, or material. */
  isWorthALook?: boolean | undefined;
}

type Row = Omit<Finding, 'costPicoUsd' | 'usualPicoUsd' | 'excessPicoUsd' | 'dayAheadPicoUsd'> &
  Record<'cost' | 'usual' | 'excess' | 'dayAhead', string>;

const standingOf = (now: Date): RawBuilder<FindingStanding> => sql<FindingStanding>`case
  when decision = 'acknowledged' and state <> 'withdrawn' then 'acknowledged'
  when decision = 'dismissed' or state = 'withdrawn' then 'done'
  when raised_at is null then 'highlighted'
  when snoozed_until > ${now} then 'snoozed'
  else 'needs_you' end`;

export const groupOf = (now: Date): RawBuilder<FindingGroup> =>
  sql<FindingGroup>`coalesce(nullif(${standingOf(now)}, 'snoozed'), 'done')`;

/** Findings before a given one, the newest first; or, for a page without others, those with most at stake. */
export async function listFindings(
  database: LedgerDatabase,
  filter: FindingFilter,
  page: { beforeId: bigint | null; limit: number; now: Date; byStake?: boolean },
): Promise<Finding[]> {
  return await select(
    database,
    page.now,
    sql`${page.beforeId === null ? sql`true` : sql`anomaly_finding_id < ${String(page.beforeId)}::bigint`}
      and ${matches(filter, page.now)}`,
    page.limit,
    page.byStake === true
      ? sql`excess_pico_usd + case when state = 'open' then day_ahead_pico_usd else 0 end desc, anomaly_finding_id desc`
      : undefined,
  );
}

/** How many findings a filter leaves. */
export async function countFindings(
  database: LedgerDatabase | LedgerTransaction,
  filter: FindingFilter,
  now: Date,
): Promise<bigint> {
  const { rows } = await sql<{ count: bigint }>`
    select count(*) as count from anomaly_findings where ${matches(filter, now)}`.execute(database);
  return rows[0]?.count ?? 0n;
}

function matches(
  { group, standings, customerId, isWorthALook }: FindingFilter,
  now: Date,
): RawBuilder<boolean> {
  const { materialPicoUsd } = RULES;
  return sql<boolean>`${group === undefined ? sql`true` : sql`${groupOf(now)} = ${group}`}
    and ${standings === undefined ? sql`true` : sql`${standingOf(now)} = any(${[...standings]}::text[])`}
    and ${customerId === undefined ? sql`true` : sql`customer_id = ${customerId}`}
    and ${isWorthALook === undefined ? sql`true` : sql`(is_above_sigma or excess_pico_usd >= ${String(materialPicoUsd)}::numeric) = ${isWorthALook}`}`;
}

/** @throws TallystickError NOT_FOUND */
export async function getFinding(
  database: LedgerDatabase | LedgerTransaction,
  findingId: bigint,
  now: Date,
): Promise<Finding> {
  const [finding] = await select(database, now, sql`anomaly_finding_id = ${String(findingId)}::bigint`, 1);
  if (finding !== undefined) return finding;
  throw new TallystickError(`There is no anomaly ${findingId}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/anomalies, or "tallystick anomalies", lists them.',
  });
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  now: Date,
  where: RawBuilder<unknown>,
  limit: number,
  order: RawBuilder<unknown> = sql`anomaly_finding_id desc`,
): Promise<Finding[]> {
  const result = await sql<Row>`
    select anomaly_finding_id as "findingId", customer_id as "customerId", coalesce(customers.name, customer_id) as "customerName",
      first_hour as "firstHour", last_hour as "lastHour", state, ${groupOf(now)} as "group", shape, explanations,
      raised_at as "raisedAt", moved, cost_pico_usd::text as cost, usual_pico_usd::text as usual,
      excess_pico_usd::text as excess, day_ahead_pico_usd::text as "dayAhead", score, sigma_score as "sigmaScore",
      is_above_sigma as "isAboveSigma", opened_at as "openedAt", ended_at as "endedAt", decision,
      decision_reason as "decisionReason", decided_by as "decidedBy", decided_at as "decidedAt", snoozed_until as "snoozedUntil"
    from anomaly_findings left join customers using (customer_id)
    where ${where} order by ${order} limit ${limit}`.execute(database);
  return result.rows.map(({ cost, usual, excess, dayAhead, ...row }) => ({
    ...row,
    costPicoUsd: BigInt(cost),
    usualPicoUsd: BigInt(usual),
    excessPicoUsd: BigInt(excess),
    dayAheadPicoUsd: BigInt(dayAhead),
  }));
}

/** What people said of findings that were raised: how often telling of them was right. */
export interface FindingFigures {
  needsYouCount: bigint;
  acknowledgedCount: bigint;
  dismissedCount: bigint;
  withdrawnCount: bigint;
  /** Acknowledged, of those acknowledged or dismissed, in thousandths; null: nobody said anything yet. */
  precisionPermille: bigint | null;
}

export async function readFindingFigures(database: LedgerDatabase, now: Date): Promise<FindingFigures> {
  const result = await sql<{ needs: bigint; acknowledged: bigint; dismissed: bigint; withdrawn: bigint }>`
    select count(*) filter (where ${groupOf(now)} = 'needs_you') as needs,
      count(*) filter (where decision = 'acknowledged') as acknowledged,
      count(*) filter (where decision = 'dismissed') as dismissed,
      count(*) filter (where state = 'withdrawn') as withdrawn
    from anomaly_findings where raised_at is not null`.execute(database);
  const { needs = 0n, acknowledged = 0n, dismissed = 0n, withdrawn = 0n } = result.rows[0] ?? {};
  const said = acknowledged + dismissed;
  return {
    needsYouCount: needs,
    acknowledgedCount: acknowledged,
    dismissedCount: dismissed,
    withdrawnCount: withdrawn,
    precisionPermille: said === 0n ? null : (acknowledged * 1_000n) / said,
  };
}
