import type { Exchange } from './exchange.ts';

/** A place where an outside system is known to do other than its own description says. */
interface KnownLie {
  /** `METHOD route status`, as it really is. */
  at: string;
  /** The status under which the description has this answer. */
  describedAs: number;
  /** Where it was seen. */
  seen: string;
}

/** What an outside system's maker says about its interface, from whatever he publishes. */
export interface Contract {
  /** Every route that the product asks, as `METHOD /path/{parameter}`. */
  routes: readonly string[];
  /** Routes that somebody else may ask, too: tests, in a person's place. */
  others?: readonly string[];
  lies: readonly KnownLie[];
  /** What the description does not know of all this. Asked once for everything, since some checks are dear. */
  check(described: Described): Promise<string[]>;
}

interface Described {
  requests: readonly { route: string; exchange: Exchange }[];
  answers: readonly DescribedAnswer[];
  fields: readonly ReadField[];
}

export interface DescribedAnswer {
  route: string;
  /** The status under which the description has it. */
  status: number;
  /** Without its parameters; empty: there is none. */
  contentType: string;
  body: unknown;
}

/** A field that the product reads: `data[].windowStart` of a route's answer, `groupBy.*` for any name in it. */
export interface ReadField {
  route: string;
  /** The status under which the description has the answer. */
  status: number;
  field: string;
}

/** In what recorded exchanges, and the fields that are read of them, are not as described; empty: they conform. */
export async function judge(
  contract: Contract,
  exchanges: readonly Exchange[],
  fields: readonly ReadField[],
): Promise<string[]> {
  const problems: string[] = [];
  const requests: { route: string; exchange: Exchange }[] = [];
  const answers: DescribedAnswer[] = [];
  const unseen = { lies: new Set(contract.lies), routes: new Set(contract.routes) };
  for (const exchange of exchanges) {
    const route = routeOf([...contract.routes, ...(contract.others ?? [])], exchange);
    if (route === null) {
      problems.push(`${exchange.method} ${exchange.path}: no route of the contract`);
      continue;
    }
    unseen.routes.delete(route);
    // What was refused may be wrong on purpose; its answer must be right all the same.
    if (exchange.status < 400) requests.push({ route, exchange });
    const lie = contract.lies.find(({ at }) => at === `${route} ${exchange.status}`);
    if (lie !== undefined) unseen.lies.delete(lie);
    answers.push({
      route,
      status: lie?.describedAs ?? exchange.status,
      contentType: exchange.answerType.split(';')[0] ?? '',
      body: exchange.answerBody,
    });
  }
  problems.push(...(await contract.check({ requests, answers, fields })));
  for (const { at } of unseen.lies) problems.push(`${at}: named as an exception, and never seen`);
  for (const route of unseen.routes) problems.push(`${route}: never asked`);
  return [...new Set(problems)].sort();
}

/** The route of an exchange: of those that fit, the one with the fewest parameters, and the first of several. */
export function routeOf(
  routes: readonly string[],
  { method, path }: Pick<Exchange, 'method' | 'path'>,
): string | null {
  const fitting = routes.filter((route) => {
    const [routeMethod, template = ''] = route.split(' ');
    const pattern = template.replaceAll(/\{[^}]+\}/g, '[^/]+');
    return routeMethod === method && new RegExp(`^${pattern}$`).test(path);
  });
  const parameterCount = (route: string) => route.split('{').length;
  return fitting.sort((left, right) => parameterCount(left) - parameterCount(right))[0] ?? null;
}
