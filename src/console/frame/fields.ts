import { ValidationError } from '../../platform/errors.ts';

/** What a form must say. @throws ValidationError with what to do about it */
export function requiredText(form: URLSearchParams, field: string, fix: string, maxLength: number): string {
  const text = (form.get(field) ?? '').trim();
  if (text === '') throw new ValidationError(field, 'is missing', fix);
  if (text.length > maxLength) {
    throw new ValidationError(field, `has more than ${maxLength} characters`, fix);
  }
  return text;
}
