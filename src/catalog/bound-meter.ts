import { type RawBuilder, sql } from 'kysely';
import { modelKeySql, nameKeySql } from '../usage/name-keys.ts';

/**
 * The meter that usage goes to, as a query of at most one row (`stripe_meter_id`), for a lateral join. Of the bindings
 * that match, one that names the model wins over one that names the feature, and one that names both over either.
 * @param usage alias of a row with `model`, `feature` and `token_type`
 * @param of other bindings than those of meters, and what must hold of them besides; they are `b` there
 */
export function boundMeter(
  usage: string,
  of: { table?: 'meter_bindings' | 'legacy_bindings'; where?: RawBuilder<unknown> } = {},
): RawBuilder<{ stripe_meter_id: string }> {
  const { table = 'meter_bindings', where = sql`true` } = of;
  const column = (name: string) => sql.ref(`${usage}.${name}`);
  return sql`
    select b.stripe_meter_id from ${sql.table(table)} b
    where b.token_type = ${column('token_type')} and b.model in (${sql.raw(modelKeySql(`${usage}.model`))}, '*')
      and b.feature in (${sql.raw(nameKeySql(`${usage}.feature`))}, '*') and ${where}
    order by b.model = '*', b.feature = '*' limit 1`;
}
