import { ValidationError } from '../../platform/errors.ts';
import type { InvoiceAnnotation, NewCreditNote, NewInvoiceItem } from './port.ts';

/** Stripe's own limits: custom fields as its reference states them, texts as its API description bounds them. */
const MAX_CUSTOM_FIELDS = 4;
const MAX_FIELD_NAME_LENGTH = 40;
const MAX_FIELD_VALUE_LENGTH = 140;
const MAX_MEMO_LENGTH = 1_500;
const MAX_FOOTER_LENGTH = 5_000;
const MAX_LINE_DESCRIPTION_LENGTH = 500;
const MAX_CREDIT_MEMO_LENGTH = 5_000;
const MAX_METADATA_KEYS = 50;
const MAX_METADATA_KEY_LENGTH = 40;
const MAX_METADATA_VALUE_LENGTH = 500;
/** Below Stripe's 255, so that a suffix still fits. */
const MAX_IDEMPOTENCY_KEY_LENGTH = 200;
/** Amounts have at most eight digits in most currencies, twelve in a few. */
const MAX_AMOUNT_MINOR = 999_999_999_999n;

/** @throws ValidationError naming the field */
export function checkAnnotation(annotation: InvoiceAnnotation): void {
  checkIdempotencyKey(annotation.idempotencyKey);
  checkLength('memo', annotation.memo, MAX_MEMO_LENGTH);
  checkLength('footer', annotation.footer, MAX_FOOTER_LENGTH);
  checkMetadata('metadata', annotation.metadata);
  const { customFields = [], lines = [] } = annotation;
  if (customFields.length > MAX_CUSTOM_FIELDS) {
    throw new ValidationError(
      'customFields',
      `has ${customFields.length} entries; Stripe takes at most ${MAX_CUSTOM_FIELDS}`,
    );
  }
  for (const [index, { name, value }] of customFields.entries()) {
    checkText(`customFields[${index}].name`, name, MAX_FIELD_NAME_LENGTH);
    checkText(`customFields[${index}].value`, value, MAX_FIELD_VALUE_LENGTH);
  }
  for (const [index, { description, metadata }] of lines.entries()) {
    checkText(`lines[${index}].description`, description, MAX_LINE_DESCRIPTION_LENGTH);
    checkMetadata(`lines[${index}].metadata`, metadata);
  }
}

/** @throws ValidationError naming the field */
export function checkInvoiceItem(item: NewInvoiceItem): void {
  checkIdempotencyKey(item.idempotencyKey);
  checkText('description', item.description, MAX_LINE_DESCRIPTION_LENGTH);
  checkMetadata('metadata', item.metadata);
  if (!(item.period.start.getTime() < item.period.end.getTime())) {
    throw new ValidationError('period', 'must end after it begins');
  }
  if ('amountMinor' in item) {
    checkAmount('amountMinor', item.amountMinor < 0n ? -item.amountMinor : item.amountMinor);
    return;
  }
  if (item.quantity < 0n || item.quantity > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ValidationError('quantity', `must be 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  if (!/^-?\d{1,12}(\.\d{1,12})?$/.test(item.unitAmountDecimal)) {
    throw new ValidationError('unitAmountDecimal', 'must be a decimal with at most 12 decimal places');
  }
}

/** @throws ValidationError naming the field */
export function checkCreditNote(note: NewCreditNote): void {
  checkIdempotencyKey(note.idempotencyKey);
  checkLength('memo', note.memo, MAX_CREDIT_MEMO_LENGTH);
  checkMetadata('metadata', note.metadata);
  checkPositive('amountMinor', note.amountMinor);
}

/** @throws ValidationError */
export function checkIdempotencyKey(key: string): void {
  checkText('idempotencyKey', key, MAX_IDEMPOTENCY_KEY_LENGTH);
}

function checkPositive(field: string, amountMinor: bigint): void {
  if (amountMinor <= 0n) throw new ValidationError(field, 'must be above 0');
  checkAmount(field, amountMinor);
}

function checkAmount(field: string, amountMinor: bigint): void {
  if (amountMinor > MAX_AMOUNT_MINOR) throw new ValidationError(field, `must be at most ${MAX_AMOUNT_MINOR}`);
}

function checkText(field: string, text: string, maxLength: number): void {
  if (text === '') throw new ValidationError(field, 'must not be empty');
  checkLength(field, text, maxLength);
}

function checkLength(field: string, text: string | undefined, maxLength: number): void {
  if (text !== undefined && text.length > maxLength) {
    throw new ValidationError(field, `has ${text.length} characters; Stripe takes at most ${maxLength}`);
  }
}

function checkMetadata(field: string, metadata: Readonly<Record<string, string>> = {}): void {
  const entries = Object.entries(metadata);
  if (entries.length > MAX_METADATA_KEYS) {
    throw new ValidationError(field, `has ${entries.length} keys; Stripe takes at most ${MAX_METADATA_KEYS}`);
  }
  for (const [key, value] of entries) {
    checkText(`${field} key`, key, MAX_METADATA_KEY_LENGTH);
    checkLength(`${field}.${key}`, value, MAX_METADATA_VALUE_LENGTH);
  }
}
