import type { PortalPage } from './frame/define-page.ts';
import { hoursPage } from './hours/page.ts';
import { invoicePage } from './invoice/page.ts';
import { usagePage } from './usage/page.ts';
import { userPage } from './user/page.ts';

/** Every page of the portal; the routes, and a test that tries each with the session of somebody else, derive from it. */
export const PORTAL_PAGES: readonly PortalPage[] = [usagePage, invoicePage, userPage, hoursPage];
