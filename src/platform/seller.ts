import { z } from 'zod';

/** Who sells, as customers read it on what is sent to them. */
export interface Seller {
  name: string | null;
  /** Line by line. */
  address: readonly string[];
  contact: string | null;
  /** A picture as a `data:` address: a page loads nothing from elsewhere. */
  logo: string | null;
  /** Of what is theirs, as `#0b5c74`; pages see to it that it can be read. */
  color: string | null;
  /** What a customer agrees to beside the price, paragraph by paragraph. */
  terms: readonly string[];
}

/** What a quote offers unless it says otherwise. */
export interface QuoteTerms {
  validDays: number;
  /** How long the contract runs; null: nothing is said of it. */
  contractMonths: number | null;
}

export const NO_SELLER: Seller = {
  name: null,
  address: [],
  contact: null,
  logo: null,
  color: null,
  terms: [],
};
export const USUAL_QUOTE_TERMS: QuoteTerms = { validDays: 30, contractMonths: null };

const MAX_LOGO_LENGTH = 100_000;
const text = (length: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(length, { error: `must have at most ${length} characters` });
const wholeNumber = (high: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,3}$/, { error: `must be a whole number from 1 to ${high}` })
    .transform(Number)
    .refine((value) => value <= high, { error: `must be at most ${high}` });

/** Variables of the environment. In texts, `\n` begins a line, as environments rarely carry one. */
export const SELLER_VARIABLES = {
  SELLER_NAME: text(200).optional(),
  SELLER_ADDRESS: text(1_000).optional(),
  SELLER_CONTACT: text(500).optional(),
  SELLER_LOGO: z
    .string()
    .max(MAX_LOGO_LENGTH, { error: `must have at most ${MAX_LOGO_LENGTH} characters` })
    .regex(/^data:image\/(?:png|jpeg|webp|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}$/, {
      error: 'must be data:image/png;base64, and the picture (or jpeg, webp, svg+xml)',
    })
    .optional(),
  SELLER_COLOR: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, { error: 'must be a colour such as #0b5c74' })
    .optional(),
  SELLER_TERMS: text(20_000).optional(),
  QUOTE_CONTRACT_MONTHS: wholeNumber(120).optional(),
  QUOTE_VALID_DAYS: wholeNumber(365).default(USUAL_QUOTE_TERMS.validDays),
};

type Variables = z.output<z.ZodObject<typeof SELLER_VARIABLES>>;

export function readSeller(config: Variables): Seller {
  return {
    name: config.SELLER_NAME ?? null,
    address: linesOf(config.SELLER_ADDRESS),
    contact: config.SELLER_CONTACT ?? null,
    logo: config.SELLER_LOGO ?? null,
    color: config.SELLER_COLOR ?? null,
    terms: linesOf(config.SELLER_TERMS),
  };
}

export function readQuoteTerms(config: Variables): QuoteTerms {
  return { validDays: config.QUOTE_VALID_DAYS, contractMonths: config.QUOTE_CONTRACT_MONTHS ?? null };
}

function linesOf(value: string | undefined): string[] {
  return (value ?? '')
    .split(/\\n|\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
