import { routeOf } from '../contract.ts';
import type { SeenRead } from '../read-fields.ts';
import { CATALOG } from './catalog.ts';
import { INVOICES } from './invoices.ts';
import type { ReadObject } from './read-object.ts';
import { USAGE } from './usage.ts';

const FOLDER = 'test/contracts/stripe-fields';
const FILES = Object.entries({ 'usage.ts': USAGE, 'invoices.ts': INVOICES, 'catalog.ts': CATALOG });

interface Place {
  file: string;
  known: ReadObject;
  route: string;
  prefix: string;
}

const PLACES: readonly Place[] = FILES.flatMap(([file, objects]) =>
  objects.flatMap((known) =>
    known.at.map((place) => {
      const [method, path, prefix = ''] = place.split(' ');
      return { file, known, route: `${method} ${path}`, prefix };
    }),
  ),
);

const ROUTES = [...new Set(PLACES.map(({ route }) => route))];

/** What the product asks of Stripe, and every field that it reads of each answer, by the deepest names. */
export const READ: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  ROUTES.map((route) => [route, PLACES.filter((place) => place.route === route).flatMap(namesOf)]),
);

/** Each field that was read and is not listed, with the line to add. */
export function unlistedReads(reads: readonly SeenRead[]): string[] {
  const unlisted = Map.groupBy(
    reads.filter((read) => !READ[routeNameOf(read)]?.some((name) => isWithin(name, read.field))),
    routeNameOf,
  );
  return [...unlisted].flatMap(([route, found]) => {
    const fields = [...new Set(found.map(({ field }) => field))].sort();
    return fields
      .filter((field) => !fields.some((other) => other !== field && isWithin(other, field)))
      .map((field) => `${route} is read for ${field}: ${lineToAdd(route, field)}`);
  });
}

/** Each field that is listed and that nothing read, with the line to take away. */
export function unreadFields(reads: readonly SeenRead[]): string[] {
  const seen = new Set(reads.map((read) => `${routeNameOf(read)} ${read.field}`));
  return FILES.flatMap(([file, objects]) =>
    objects.flatMap((known) => {
      const places = PLACES.filter((place) => place.known === known);
      return known.fields
        .filter((field) => !places.some((place) => seen.has(`${place.route} ${nameOf(place, field)}`)))
        .map((field) => `'${field}' of '${known.object}' is not read: take it out of ${FOLDER}/${file}`);
    }),
  );
}

function lineToAdd(route: string, field: string): string {
  const places = PLACES.filter(
    (place) => place.route === route && (place.prefix === '' || isWithin(field, place.prefix)),
  );
  const nearest = places.sort((one, other) => other.prefix.length - one.prefix.length)[0];
  if (nearest === undefined) {
    return `name the call under an object's \`at\` in a file of ${FOLDER}, and the field under its \`fields\``;
  }
  const own = nearest.prefix === '' ? field : field.slice(nearest.prefix.length + 1);
  return `add '${own}' to the fields of '${nearest.known.object}' in ${FOLDER}/${nearest.file}`;
}

/** As the lists name it; where none does, as it was asked. */
function routeNameOf(read: SeenRead): string {
  return routeOf(ROUTES, read) ?? `${read.method} ${read.path}`;
}

function namesOf(place: Place): string[] {
  return place.known.fields.map((field) => nameOf(place, field));
}

function nameOf({ prefix }: Place, field: string): string {
  return prefix === '' ? field : `${prefix}.${field}`;
}

/** Whoever reads a field has read what holds it. */
function isWithin(name: string, field: string): boolean {
  return name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[]`);
}
