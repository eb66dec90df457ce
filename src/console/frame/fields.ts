import { textOf } from '../../pages/address.ts';
import { ValidationError } from '../../platform/errors.ts';

/** What a form must say. @throws ValidationError with what to do about it */
export function requiredText(form: URLSearchParams, field: string, fix: string, maxLength: number): string {
  const text = textOf(form, field);
  if (text === undefined) throw new ValidationError(field, 'is missing', fix);
  if (text.length > maxLength) {
    throw new ValidationError(field, `has more than ${maxLength} characters`, fix);
  }
  return text;
}
