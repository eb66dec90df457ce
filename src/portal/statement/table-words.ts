import type { TableWords } from '../../pages/table/columns.ts';
import type { ReaderLocale } from '../words/reader.ts';

/** What tables say beside their rows, to this reader. */
export function tableWords({ words: { table }, count }: ReaderLocale): TableWords {
  return {
    ...table,
    rows: (rows) => table.rows(rows, count(rows)),
    pageOf: (page, pages) => table.pageOf(count(page), count(pages)),
  };
}
