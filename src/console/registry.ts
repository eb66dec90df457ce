import { auditPage } from './audit/page.ts';
import { customersPage } from './customers/page.ts';
import { featuresPage } from './features/page.ts';
import type { ConsolePage } from './frame/define-page.ts';
import { overviewPage } from './overview/page.ts';
import { pipelinePage } from './pipeline/page.ts';
import { newQuotePage } from './quotes/form/page.ts';
import { quotesPage } from './quotes/page.ts';
import { quotePage } from './quotes/quote-page.ts';
import { searchPage } from './search/page.ts';
import { settingsPage } from './settings/page.ts';
import { startPage } from './start/page.ts';

/**
 * Every page of the console, in the order of the rail; the rail, the keyboard, the rights and the walk of
 * `test/console/` derive from it. Of two paths that could mean the same address, the first wins.
 */
export const CONSOLE_PAGES: readonly ConsolePage[] = [
  overviewPage,
  customersPage,
  featuresPage,
  quotesPage,
  newQuotePage,
  quotePage,
  pipelinePage,
  auditPage,
  settingsPage,
  searchPage,
  startPage,
];
