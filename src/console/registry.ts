import { alertPage } from './alerts/alert-page.ts';
import { alertsPage } from './alerts/page.ts';
import { findingPage } from './anomalies/finding-page.ts';
import { anomaliesPage } from './anomalies/page.ts';
import { auditPage } from './audit/page.ts';
import { budgetPage } from './budgets/budget-page.ts';
import { newBudgetPage } from './budgets/form/page.ts';
import { budgetsPage } from './budgets/page.ts';
import { customerPage } from './customers/one/page.ts';
import { customersPage } from './customers/page.ts';
import { featuresPage } from './features/page.ts';
import type { ConsolePage } from './frame/define-page.ts';
import { accrualsPage } from './invoices/accruals/page.ts';
import { creditsPage } from './invoices/credits/page.ts';
import { certificatePage } from './invoices/one/certificate-page.ts';
import { invoicePage } from './invoices/one/page.ts';
import { invoicesPage } from './invoices/page.ts';
import { secondPersonPage } from './invoices/second-person/page.ts';
import { uninvoicedPage } from './invoices/uninvoiced/page.ts';
import { upcomingPage } from './invoices/upcoming/page.ts';
import { linksPage } from './links/page.ts';
import { modelsPage } from './models/page.ts';
import { overviewPage } from './overview/page.ts';
import { pipelinePage } from './pipeline/page.ts';
import { historyPage } from './prices/history-page.ts';
import { pricesPage } from './prices/page.ts';
import { planPage } from './prices/plan-page.ts';
import { newQuotePage } from './quotes/form/page.ts';
import { quotesPage } from './quotes/page.ts';
import { quotePage } from './quotes/quote-page.ts';
import { searchPage } from './search/page.ts';
import { ownKeyPage } from './settings/own-key-page.ts';
import { settingsPage } from './settings/page.ts';
import { simulationsPage } from './simulations/page.ts';
import { simulationPage } from './simulations/result-page.ts';
import { startPage } from './start/page.ts';
import { usagePage } from './usage/page.ts';

/**
 * Every page of the console, in the order of the rail; the rail, the keyboard, the rights and the walk of
 * `test/console/` derive from it. Of two paths that could mean the same address, the first wins.
 */
export const CONSOLE_PAGES: readonly ConsolePage[] = [
  overviewPage,
  customersPage,
  customerPage,
  featuresPage,
  modelsPage,
  usagePage,
  anomaliesPage,
  findingPage,
  budgetsPage,
  newBudgetPage,
  budgetPage,
  alertsPage,
  alertPage,
  quotesPage,
  newQuotePage,
  quotePage,
  invoicesPage,
  creditsPage,
  uninvoicedPage,
  upcomingPage,
  accrualsPage,
  secondPersonPage,
  certificatePage,
  invoicePage,
  simulationsPage,
  simulationPage,
  pricesPage,
  historyPage,
  planPage,
  linksPage,
  pipelinePage,
  auditPage,
  settingsPage,
  ownKeyPage,
  searchPage,
  startPage,
];
