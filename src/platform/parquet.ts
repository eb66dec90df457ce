import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { parseDecimal } from '../../pricing/money.ts';

/** Enough for pico-dollars divided by a million, and for sums of 10^20. */
const DECIMAL_SCALE = 18;
const DECIMAL_PRECISION = 38;
/** Rows of a group: what a writer holds in memory, and a reader skips or reads at once. */
const GROUP_SIZE = 10_000;

const SCHEMA_TYPES = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  /** Exact: a float would round what is paid by the token. */
  decimal: {
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: 16,
    converted_type: 'DECIMAL',
    scale: DECIMAL_SCALE,
    precision: DECIMAL_PRECISION,
  },
  count: { type: 'INT64' },
  instant: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  day: { type: 'INT32', converted_type: 'DATE' },
} as const;

/** A column of a table as a file has it; its values come as text, whatever it is. */
export interface TableColumn {
  name: string;
  type: keyof typeof SCHEMA_TYPES;
  isNullable: boolean;
}

type Cells = readonly (string | null)[];

/**
 * A table as Parquet with Snappy, group by group as its rows come: memory does not grow with the table but for some
 * bytes of a group in the footer.
 * @param batches rows as their columns' text: decimals plain, instants and days in ISO 8601
 * @throws RangeError for a text that is not of its column's type, or a null where there may be none
 */
export async function* toParquet(
  columns: readonly TableColumn[],
  batches: AsyncIterable<readonly Cells[]>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    writer,
    createdBy: 'tallystick',
    schema: [
      { name: 'root', num_children: columns.length },
      ...columns.map(({ name, type, isNullable }) => ({
        name,
        ...SCHEMA_TYPES[type],
        repetition_type: isNullable ? ('OPTIONAL' as const) : ('REQUIRED' as const),
      })),
    ],
  });
  let waiting: Cells[] = [];
  const writeGroup = (rows: readonly Cells[]) =>
    parquet.write({
      rowGroupSize: GROUP_SIZE,
      columnData: columns.map((column, index) => ({
        name: column.name,
        offsetIndex: false,
        data: rows.map((row) => toValue(row[index] ?? null, column)),
      })),
    });
  for await (const rows of batches) {
    waiting.push(...rows);
    while (waiting.length >= GROUP_SIZE) {
      await writeGroup(waiting.slice(0, GROUP_SIZE));
      waiting = waiting.slice(GROUP_SIZE);
      yield takeBytes(writer);
    }
  }
  if (waiting.length > 0) await writeGroup(waiting);
  await parquet.finish();
  yield takeBytes(writer);
}

/** What was written since the last time; `offset`, by which the footer finds the columns, goes on. */
function takeBytes(writer: ByteWriter): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(writer.getBuffer());
  writer.index = 0;
  return bytes;
}

function toValue(text: string | null, { name, type, isNullable }: TableColumn) {
  if (text === null) {
    if (!isNullable) throw new RangeError(`${name} may not be null`);
    return null;
  }
  switch (type) {
    case 'decimal':
      return parseDecimal(text, DECIMAL_SCALE);
    case 'count':
      return BigInt(text);
    case 'instant':
      return readDate(name, text);
    case 'day':
      return readDate(name, `${text}T00:00:00Z`);
    default:
      return text;
  }
}

function readDate(name: string, text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw new RangeError(`${name}: "${text}" is no instant`);
  return date;
}
