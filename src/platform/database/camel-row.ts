type Camel<Column> = Column extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Column;

/** What a statement read, under our names: `event_day` as `eventDay`, in the order of its columns. */
export function camelRow<Row extends object>(
  row: Row,
): { [Column in keyof Row as Camel<Column>]: Row[Column] } {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
      value,
    ]),
  ) as { [Column in keyof Row as Camel<Column>]: Row[Column] };
}
