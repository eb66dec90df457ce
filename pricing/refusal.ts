/** What the asker can mend. Each is a code of the API. */
export type RefusalCode =
  | 'VALIDATION'
  | 'UNKNOWN_MODEL'
  | 'UNKNOWN_PLAN'
  | 'UNKNOWN_CURRENCY'
  | 'UNKNOWN_FEATURE'
  | 'NOT_ENOUGH_DATA';

/** One field of what was asked, what is wrong with it, and what to ask instead. */
export interface Fault {
  field: string;
  message: string;
  fix?: string;
}

export interface RefusalOptions {
  code: RefusalCode;
  /** Where it is; several faults are in `errors` instead. */
  field?: string;
  errors?: readonly Fault[];
  fix?: string;
}

/** Why a rule has no answer to what was asked. `toTallystickError` makes it an error of the house. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly field: string | undefined;
  readonly errors: readonly Fault[] | undefined;
  readonly fix: string | undefined;

  constructor(message: string, { code, field, errors, fix }: RefusalOptions) {
    super(message);
    this.code = code;
    this.field = field;
    this.errors = errors;
    this.fix = fix;
  }
}

/** A field that says what cannot be. */
export function invalid(field: string, message: string, fix?: string): Refusal {
  return new Refusal(`${field}: ${message}`, {
    code: 'VALIDATION',
    field,
    ...(fix === undefined ? {} : { fix }),
  });
}

/** Several faults at once; the summary goes before the first of them in one message. */
export function refuseFaults(code: RefusalCode, summary: string, errors: readonly Fault[]): void {
  if (errors.length === 0) return;
  const sentences = errors.slice(0, 5).map(({ message, fix }) => `${message}; ${fix}`);
  throw new Refusal(`${summary}: ${sentences.join(' ')}`, { code, errors });
}
