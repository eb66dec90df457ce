import type { ApiScope } from '../../identity/api-keys.ts';
import type { Address } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import type { CsvCells, CsvTable } from '../../platform/csv.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { ApiCaller } from '../../platform/http/dependencies.ts';
import type { ConsoleDependencies } from '../dependencies.ts';
import type { FrameFacts } from './facts.ts';
import type { Period } from './period.ts';

/** Who looks at what: all that a page knows of its request. */
export interface ConsoleView {
  dependencies: ConsoleDependencies;
  caller: ApiCaller;
  /** Which of its key's sessions it is, for what ends all others. */
  sessionHash: string;
  address: Address;
  /** Named parts of the path, such as `customerId`. */
  params: Readonly<Record<string, string>>;
  now: Date;
  period: Period;
  /** Chosen in the address, of those that customers have; null: none is chosen. */
  currency: string | null;
  /** The hidden field that every form which POSTs begins with. */
  formField: Html;
  /** A button by which a form that is a GET, and shows while one types, is sent to an act. */
  formButton: (act: string, words: string) => Html;
  /** How browsers reach the service: what links that are sent begin with. */
  origin: string;
  /** What was typed into a form that was refused, to be shown in it again; null: nothing was sent. */
  typed: URLSearchParams | null;
  /** What is wrong with what was typed, by the field's name as whoever refused it calls it; empty: nothing, or no one field. */
  faults: ReadonlyMap<string, string>;
  /** Whether there is a page of this path that the reader may see: what leads nowhere is no link. */
  hasPage: (path: string) => boolean;
}

/** What a page shows. */
export interface PageContent {
  /** Of this one thing, where the page is about one; the page's own title unless given. */
  title?: string;
  body: Html;
  /** Whole tables over rows that are at hand, by the name that `?csv=` asks for; made only then. */
  csv?: Readonly<Record<string, () => CsvTable>>;
}

/** A table that is too long to be at hand: read batch by batch in one snapshot, and sent as it is read. */
export interface WholeCsv<Row> {
  columns: readonly string[];
  /** The rows after one (null: the first), at most so many. */
  read: (snapshot: LedgerSnapshot, after: Row | null, limit: number) => Promise<Row[]>;
  toCells: (row: Row) => CsvCells;
}

/** What an act says when it is done, and where its reader goes from there (the page itself unless given). */
export type ActResult =
  | { notice: string; to?: string }
  /** Shown at once and kept nowhere, for what is told only once, such as a new key. */
  | { shown: { title: string; body: Html } };

export interface PageAct {
  /** Who may do it: holders of one of them, and `admin`; none: `admin` alone. */
  scopes: readonly Exclude<ApiScope, 'admin'>[];
  /** Whether it makes something: the same form, sent twice, then makes one, and is answered twice. */
  makes?: true;
  /** Does it, as `view.caller`. What it throws is told above the page, with what was typed in `view.typed`. */
  run: (form: URLSearchParams, view: ConsoleView) => Promise<ActResult>;
}

/**
 * One page of the console. All reading is `gather`, in one snapshot; `show` is pure and draws what it is given.
 * Acts are POSTs to the page's path with their name behind it, from forms that begin with `view.formField`.
 */
export interface PageDefinition<Material> {
  /** Below `/console`, such as `/console/customers/:customerId`. */
  path: string;
  title: string;
  /** Who may see it: holders of one of them, and `admin`. */
  scopes: readonly Exclude<ApiScope, 'admin'>[];
  /** Its place in the rail, and the letter behind `g` that goes there; left out: it is reached from other pages. */
  rail?: { title: string; key: string };
  /** Which choices the top offers. */
  choices?: readonly ('period' | 'currency')[];
  /** The period of an address that names none; this month unless given. */
  unaskedPeriod?: 'last-month';
  /** What refreshes kept sums or asks outside systems, before the snapshot opens. */
  prepare?: (view: ConsoleView) => Promise<void>;
  gather: (snapshot: LedgerSnapshot, view: ConsoleView) => Promise<Material>;
  /** @param facts what the top of the page says, of the same snapshot */
  show: (material: Material, view: ConsoleView, facts: FrameFacts) => PageContent;
  /** Whole tables that are not at hand, by the name that `?csv=` asks for. */
  // biome-ignore lint/suspicious/noExplicitAny: each table has rows of its own, which only it reads
  wholeCsv?: (view: ConsoleView) => Readonly<Record<string, WholeCsv<any>>>;
  acts?: Readonly<Record<string, PageAct>>;
}

/** A page whose material is its own affair. */
export interface ConsolePage extends Omit<PageDefinition<unknown>, 'gather' | 'show'> {
  read: (snapshot: LedgerSnapshot, view: ConsoleView) => Promise<(facts: FrameFacts) => PageContent>;
}

/** A page for the list in `src/console/registry.ts`. */
export function definePage<Material>({ gather, show, ...page }: PageDefinition<Material>): ConsolePage {
  return {
    ...page,
    read: async (snapshot, view) => {
      const material = await gather(snapshot, view);
      return (facts) => show(material, view, facts);
    },
  };
}
