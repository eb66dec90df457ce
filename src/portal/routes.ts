import { PORTAL_BASES } from '../identity/portal-access.ts';
import { type Api, DEFAULT_API_SETTINGS } from '../platform/http/dependencies.ts';
import type { StatementDependencies } from '../statements/dependencies.ts';
import { addPortalAssets } from './frame/assets.ts';
import { answerPortal } from './frame/serve-page.ts';
import { PORTAL_PAGES } from './registry.ts';
import { keptReaderLocales } from './words/reader.ts';

/** Adds every page below each base of a visit; what begins visits comes before, for every other address below is a page that is not there. */
export function addPortal(api: Api, dependencies: StatementDependencies): void {
  const { seller } = dependencies.settings ?? DEFAULT_API_SETTINGS;
  const assets = addPortalAssets(api, seller.color);
  const site = { dependencies, pages: PORTAL_PAGES, localeOf: keptReaderLocales(), ...assets };
  // The longer base first: else its token would be taken for a page.
  for (const base of PORTAL_BASES.toReversed()) {
    for (const path of new Set(PORTAL_PAGES.map((page) => page.path)))
      api.get(`${base}${path}`, (context) => answerPortal(site, context, path));
    api.get(`${base}/*`, (context) => answerPortal(site, context, null));
  }
}
