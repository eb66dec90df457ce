import type { PortalReader } from '../../identity/portal-access.ts';
import type { Address } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import type { CsvTable } from '../../platform/csv.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { StatementDependencies } from '../../statements/dependencies.ts';
import type { ReaderLocale } from '../words/reader.ts';

/** Who reads what: all that a page knows of its request. Whose data it may show is `reader`, and nothing else says it. */
export interface PortalView {
  dependencies: StatementDependencies;
  reader: PortalReader;
  address: Address;
  /** Named parts of the path. */
  params: Readonly<Record<string, string>>;
  now: Date;
  locale: ReaderLocale;
  /** Of a page of the portal, by its path below the base of this visit. */
  href: (path: string, query?: Readonly<Record<string, string>>) => string;
}

/** What a page shows. */
export interface PortalContent {
  title: string;
  body: Html;
  /** Up to when usage has been collected; null: none has. Left out where the page says it itself. */
  dataAsOf?: Date | null;
  /** Whole tables, by the name that `?csv=` asks for; made only then, and sent part by part. */
  csv?: Readonly<Record<string, () => CsvTable>>;
}

/**
 * One page of the portal, served below each base of a visit. What asks outside systems or refreshes kept sums is `prepare`;
 * all other reading is `gather`, in one snapshot; `show` is pure.
 */
export interface PortalPageDefinition<Prepared, Material> {
  /** Below the base; the empty text is the first page. */
  path: string;
  /** To whom it is shown: whoever reads for a whole customer, or one user of it. To others it is not there. */
  of: 'customer' | 'user' | 'both';
  /** Everything that its address may ask, so that a test can try each in a foreign session. */
  parameters: readonly string[];
  prepare: (view: PortalView) => Promise<Prepared>;
  /** @throws TallystickError NOT_FOUND for what is not the reader's, as for what is not there */
  gather: (snapshot: LedgerSnapshot, view: PortalView, prepared: Prepared) => Promise<Material>;
  show: (material: Material, view: PortalView) => PortalContent;
}

/** A page whose material is its own affair. */
export interface PortalPage
  extends Omit<PortalPageDefinition<unknown, unknown>, 'prepare' | 'gather' | 'show'> {
  /** Reads it as of one instant. */
  read: (
    view: PortalView,
    inSnapshot: <Result>(read: (snapshot: LedgerSnapshot) => Promise<Result>) => Promise<Result>,
  ) => Promise<PortalContent>;
}

/** A page for the list in `src/portal/registry.ts`. */
export function definePage<Prepared, Material>({
  prepare,
  gather,
  show,
  ...page
}: PortalPageDefinition<Prepared, Material>): PortalPage {
  return {
    ...page,
    read: async (view, inSnapshot) => {
      const prepared = await prepare(view);
      return show(await inSnapshot((snapshot) => gather(snapshot, view, prepared)), view);
    },
  };
}

/** Whether the reader is one of those that the page is for. */
export function isFor({ of }: Pick<PortalPage, 'of'>, { userId }: PortalReader): boolean {
  return of === 'both' || (of === 'user') === (userId !== null);
}
