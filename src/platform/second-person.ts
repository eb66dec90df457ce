import { z } from 'zod';
import { minorUnitDigits, parseDecimal } from '../../pricing/money.ts';

/** Above which amounts one person is not enough, and how long a request waits for another. */
export interface SecondPersonRule {
  /** Minor units, by currency; a currency that is not named has no amount that one person may decide alone. */
  above: ReadonlyMap<string, bigint>;
  waitHours: number;
}

const AMOUNT = /^([a-z]{3}):(\d{1,15}(?:\.\d{1,3})?)$/;
const HOURS = { least: 1, most: 720, usual: 72 };

/** Variables of the environment. */
export const SECOND_PERSON_VARIABLES = {
  SECOND_PERSON_ABOVE: z
    .string()
    .refine((text) => readAmounts(text) !== null, {
      error: 'must name an amount for each currency, such as usd:1000 eur:900.50, each currency once',
    })
    .optional(),
  SECOND_PERSON_HOURS: z
    .string()
    .regex(/^\d{1,3}$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((hours) => hours >= HOURS.least && hours <= HOURS.most, {
      error: `must be between ${HOURS.least} and ${HOURS.most}`,
    })
    .default(HOURS.usual),
};

type Variables = z.output<z.ZodObject<typeof SECOND_PERSON_VARIABLES>>;

/** Null: one person decides whatever the amount. */
export function readSecondPersonRule(config: Variables): SecondPersonRule | null {
  const above = config.SECOND_PERSON_ABOVE === undefined ? null : readAmounts(config.SECOND_PERSON_ABOVE);
  return above === null ? null : { above, waitHours: config.SECOND_PERSON_HOURS };
}

/** Null: the text is no list of amounts. */
function readAmounts(text: string): Map<string, bigint> | null {
  const amounts = new Map<string, bigint>();
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  for (const part of parts) {
    const [, currency = '', amount = ''] = AMOUNT.exec(part.toLowerCase()) ?? [];
    const digits = minorUnitDigits(currency);
    const decimals = amount.split('.')[1]?.length ?? 0;
    if (currency === '' || decimals > digits || amounts.has(currency)) return null;
    amounts.set(currency, parseDecimal(amount, digits));
  }
  return amounts.size === 0 ? null : amounts;
}
