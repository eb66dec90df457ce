/** For `ilike`: any text that holds this one, whose signs mean themselves. */
export function holding(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
}
