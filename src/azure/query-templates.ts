import { canonicalJson } from '../../pricing/closing/certificate.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { TallystickError } from '../platform/errors.ts';
import { buildRowQuery, type KqlOptions } from './kql.ts';
import { buildRequestQuery } from './kql-llm-log.ts';
import type { QueryRecipe, SourceQuery } from './source.ts';

/**
 * The texts of queries by the version of their template. The ledger keeps version and parameters, and the text is rebuilt
 * from them when somebody asks how usage was found: so a version's text never changes. Whoever changes what a query says
 * adds a version, and keeps the one before; a test holds each version to its digest.
 */

/** What a window adds to the parameters. */
export interface AskedWindow {
  window: TimeWindow;
  by: SourceQuery['by'];
}

interface SliceParameters {
  rowLimit: number;
  partition?: { count: number; index: number };
}

const TEMPLATES: Readonly<Record<string, (parameters: never, asked: AskedWindow) => string>> = {
  'metrics/1': ({ rowLimit, partition, ...options }: SliceParameters & KqlOptions, asked) =>
    buildRowQuery(options, { ...asked, rowLimit, ...(partition === undefined ? {} : { partition }) }),
  'requests/1': ({ rowLimit, partition, holdBackMs }: SliceParameters & { holdBackMs: number }, asked) =>
    buildRequestQuery({ ...asked, rowLimit, ...(partition === undefined ? {} : { partition }) }, holdBackMs),
  // Texts of windows from before templates had versions: their instants by the distance from the window's ends, or as they are.
  'recorded/1': ({ text }: { text: string }, { window }) =>
    text.replaceAll(/\{(start|end)([+-]\d+)\}/g, (_, of: 'start' | 'end', distanceMs: string) =>
      new Date(window[of].getTime() + Number(distanceMs)).toISOString(),
    ),
  'verbatim/1': ({ text }: { text: string }) => text,
};

/** Versions that new windows are read with. */
export type CurrentTemplate = 'metrics/1' | 'requests/1';

/** A query as the ledger keeps it: everything but its window. */
export function toRecipe(
  template: CurrentTemplate,
  options: KqlOptions | { holdBackMs: number },
  { rowLimit, partition }: SourceQuery,
): QueryRecipe {
  return { template, parameters: canonicalJson({ ...options, rowLimit, partition }) };
}

/**
 * The text of a query, to the byte as it was sent.
 * @throws TallystickError LEDGER_TOO_NEW for a template that this version does not know
 * @throws ValidationError for parameters that the template refuses
 */
export function buildQueryText({ template, parameters }: QueryRecipe, asked: AskedWindow): string {
  const build = Object.hasOwn(TEMPLATES, template) ? TEMPLATES[template] : undefined;
  if (build === undefined) {
    throw new TallystickError(`The query template ${template} is not known to this version.`, {
      code: 'LEDGER_TOO_NEW',
      retry: false,
      fix: 'Run the version that collected the window, or a later one.',
    });
  }
  return build(JSON.parse(parameters) as never, asked);
}
