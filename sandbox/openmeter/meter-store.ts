import { compileJsonPath } from './json-path.ts';
import type { WireMeter, WireMeterCreate } from './resources.ts';
import { makeUlid } from './ulid.ts';
import { Problem } from './wire.ts';

const GROUP_BY_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const RESERVED_NAMES = new Set(['subject', 'customer_id']);

/** Meter definitions. They are read when asked, so a new meter applies to all stored events. */
export class MeterStore {
  readonly #byId = new Map<string, WireMeter>();

  /** @throws Problem 400 on a bad path or name, 409 on a slug in use */
  make(body: WireMeterCreate, nowMs: number): WireMeter {
    if (body.aggregation !== 'COUNT' && body.valueProperty === undefined) {
      throw new Problem(400, `valueProperty is required for ${body.aggregation}`);
    }
    if (body.valueProperty !== undefined && compileJsonPath(body.valueProperty) === null) {
      throw new Problem(400, `invalid JSONPath for valueProperty: ${body.valueProperty}`);
    }
    checkGroupBy(body.groupBy);
    if (this.find(body.slug) !== null) throw new Problem(409, `meter with slug ${body.slug} already exists`);
    const now = new Date(nowMs).toISOString();
    return {
      ...body,
      id: makeUlid(nowMs, this.#byId.size + 1),
      name: body.name ?? body.slug,
      metadata: body.metadata ?? null,
      annotations: null,
      createdAt: now,
      updatedAt: now,
    };
  }

  put(meter: WireMeter): void {
    this.#byId.set(meter.id, meter);
  }

  find(idOrSlug: string): WireMeter | null {
    const byId = this.#byId.get(idOrSlug);
    const found =
      byId ?? [...this.#byId.values()].find((meter) => meter.slug === idOrSlug && !meter.deletedAt);
    return found === undefined || found.deletedAt ? null : found;
  }

  /** @throws Problem 404 */
  get(idOrSlug: string): WireMeter {
    const meter = this.find(idOrSlug);
    if (meter === null) throw new Problem(404, `meter ${idOrSlug} not found`);
    return meter;
  }

  list(includeDeleted: boolean): WireMeter[] {
    return [...this.#byId.values()].filter((meter) => includeDeleted || !meter.deletedAt);
  }
}

/** @throws Problem 400 */
export function checkGroupBy(groupBy: Record<string, string> | undefined): void {
  for (const [name, path] of Object.entries(groupBy ?? {})) {
    if (!GROUP_BY_NAME.test(name) || RESERVED_NAMES.has(name))
      throw new Problem(400, `invalid group by name: ${name}`);
    if (compileJsonPath(path) === null)
      throw new Problem(400, `invalid JSONPath for group by ${name}: ${path}`);
  }
}
