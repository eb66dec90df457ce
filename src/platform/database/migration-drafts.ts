import type { MigrationFile } from './migration-files.ts';

/**
 * What a migration's text lacked while it was being written, on the day before the checksums froze it: ledgers of those
 * hours are brought to what it says now. Nothing is added here any more.
 */
type Lack =
  /** All but this many characters of it. */
  | { firstCharacters: number }
  /** What differs is no end of the text. */
  | { statements: string };

const QUOTES_AS_TEXT = `
alter table quotes alter column request type text using request::text,
  alter column result type text using result::text, alter column snapshot type text using snapshot::text;
alter table quotes alter column result set storage external, alter column snapshot set storage external;
alter table quotes set (toast_tuple_target = 8160);`;

const LATE_ITEMS_ABSORBED = `
alter table late_items add column absorbed_minor bigint not null default 0 check (absorbed_minor >= 0);`;

const LIST_POSITION = `
alter table subscription_items rename column listed_at to list_position;
create index webhook_events_arrival on webhook_events (provider, arrived_by, received_at);`;

const LEGACY_BINDINGS = `
create table legacy_bindings (
  model text not null,
  token_type text not null check (token_type in ('prompt', 'prompt_cached', 'completion')),
  feature text not null,
  stripe_meter_id text not null references stripe_meters (stripe_meter_id),
  primary key (model, token_type, feature)
);`;

const PRICE_PLANS = `
alter table subscription_items add column price_plan text, add column price_plan_version text;`;

/** By the SHA-256 of the text that ran. Of no characters: it was a comment. No statements: only a comment differs. */
const LACKS: Readonly<Record<string, Lack>> = {
  // closes
  '7ee8650e8e917f27ff5376b4443cc05d154eb32952f15cadd2e01a60bd454b06': { statements: LATE_ITEMS_ABSORBED },
  // costs
  '3cf5a57cea9e54faabfe672da5175453273becb30c9e4fca81d55034636560a7': { firstCharacters: 0 },
  // operations
  '3cfc25e4f1f398f53819b5d36bd25509462ea72414299b47eaa7c70c1539ee16': { firstCharacters: 471 },
  '5295ebd9fefdcc23e784081c0d7a384152b2277ced68e478720fd9bb4801c285': { firstCharacters: 1412 },
  // plans
  '28a636d122020080509c3fcd5142fcc2f696257aa82aab901a5a8559d65174d6': { firstCharacters: 0 },
  // price_book
  c0bbbf3aee00509c510820a1f0352fb14f02c631757d5cd0c529ede45bf268b4: { firstCharacters: 0 },
  // price_sync
  '8840a75eb316b73d2b216a78129320a2ce69119b96e0301027637061e778664c': { firstCharacters: 65 },
  // quotes
  '24f0d0f78154be7585a1dbc78f9c6367c19bd8773ca83a75739a6ca9398c68d0': { firstCharacters: 0 },
  ed99344b2a6715e063adbec676719d683378efe0391eb40d51c50e43034ad107: { statements: QUOTES_AS_TEXT },
  '8f966d0cdcd8a73e1f2b41e1fcb665cb55cdb1e70b84e4a43c0f8ca25f5fdb55': { statements: QUOTES_AS_TEXT },
  // statements
  '64daad64437c1c2614643217c30e5a92b7412662ee0a68e4cc9c73ad63148693': { statements: '' },
  // tiered_prices
  '700837c7debe313bcd11dc4fdd815a5a8b347c63ef01c88f53a478ffc846f9fc': { firstCharacters: 0 },
  dcfdcee98543693759c8fe5105bdcf6376ebb4abf4b95a402185a01d475ecd96: { firstCharacters: 594 },
  '4916926ff12259f70a32fc4a59d6e5497b61ba0540196dbf76f8f6538d0fbc35': { firstCharacters: 851 },
  // webhooks
  dbbc3b8d07885a81be4115b312a83f2be55ea08d0c69a97c98dfc6ad925298d2: {
    statements: `${LIST_POSITION} ${LEGACY_BINDINGS} ${PRICE_PLANS}`,
  },
  '585948995bd86daf49de827c15472b5d0eed99d87f178f6048eac560f6223f7f': {
    statements: `${LEGACY_BINDINGS} ${PRICE_PLANS}`,
  },
  '76ef898007c16953b859bf7a64e30f26038a7cbd4d3c5bce4783ca2a5cc7f34f': { statements: PRICE_PLANS },
};

/** The statements that a ledger which ran an earlier text of this migration still lacks; undefined for unknown texts. */
export function findLackingStatements(file: MigrationFile, ranChecksum: string): string | undefined {
  const lack = LACKS[ranChecksum];
  if (lack === undefined) return undefined;
  return 'statements' in lack ? lack.statements : file.text.slice(lack.firstCharacters);
}
