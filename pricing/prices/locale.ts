/** Why a cell cannot be read: it means two things, and nothing in the file says which. */
interface Unclear {
  unclear: string;
}

/** Reads a cell of a column whose other cells are known. */
type CellReader = (cell: string) => string | Unclear;

/** Spaces and apostrophes between groups of three digits, as French, Swiss and other spreadsheets write thousands. */
const GROUP_MARK = /(?<=\d)[ \u00a0\u2009\u202f'’](?=\d{3}(?!\d))/g;
const COMMA = 'has a comma; write 2.50 with a point, and thousands without a mark';

/**
 * Reads the numbers of a file, with a decimal point or a decimal comma, into plain text with a point. One number that can only
 * be read in one way (`2,50`, `1.234,5`) settles those that could be read in two (`1,234`); without one these are refused, and
 * commas are where other numbers have a decimal point. Text that is no number stays as it is.
 */
export function decimalReader(cells: Iterable<string>): CellReader {
  const seen = new Set<Meaning>();
  for (const cell of cells) seen.add(meaningOf(cell));
  const [hasComma, hasPoint] = [seen.has('comma'), seen.has('point')];
  return (cell) => {
    const number = withoutGroupMarks(cell);
    switch (meaningOf(cell)) {
      case 'comma':
        return hasPoint
          ? { unclear: `${COMMA}: other numbers of the file have a point` }
          : number.replaceAll('.', '').replace(',', '.');
      case 'comma or thousands':
        if (hasPoint) return { unclear: `${COMMA}: other numbers of the file have a point` };
        return hasComma
          ? number.replace(',', '.')
          : { unclear: `${COMMA}: it may be ${number.replace(',', '.')} or ${number.replace(',', '')}` };
      case 'point':
        return number.replaceAll(',', '');
      case 'point or thousands':
        return hasComma && !hasPoint
          ? {
              unclear: `may be ${number} or ${number.replace('.', '')}, for other numbers of the file have a decimal comma`,
            }
          : number;
      case 'whole':
        return number;
      case 'none':
        return cell;
    }
  };
}

type Meaning = 'none' | 'whole' | 'comma' | 'point' | 'comma or thousands' | 'point or thousands';

function meaningOf(cell: string): Meaning {
  const [match, digits = '', exponent] =
    /^[-+]?(\d+(?:[.,]\d+)*)(e[-+]?\d{1,3})?$/i.exec(withoutGroupMarks(cell)) ?? [];
  if (match === undefined) return 'none';
  if (/^\d+$/.test(digits)) return 'whole';
  if (/^\d{1,3}(?:\.\d{3})+,\d+$|^\d{1,3}(?:\.\d{3}){2,}$/.test(digits)) return 'comma';
  if (/^\d{1,3}(?:,\d{3})+\.\d+$|^\d{1,3}(?:,\d{3}){2,}$/.test(digits)) return 'point';
  const [single, whole = '', mark, fraction = ''] = /^(\d+)([.,])(\d+)$/.exec(digits) ?? [];
  if (single === undefined) return 'none';
  const isThousands = exponent === undefined && fraction.length === 3 && /^[1-9]\d{0,2}$/.test(whole);
  if (mark === ',') return isThousands ? 'comma or thousands' : 'comma';
  return isThousands ? 'point or thousands' : 'point';
}

function withoutGroupMarks(cell: string): string {
  return cell.trim().replace(GROUP_MARK, '');
}

const DATE =
  /^(\d{1,4})([./-]) ?(\d{1,2})\2 ?(\d{1,4})\.?(?:[ T](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?: ?([AP])M)?)?$/i;

/**
 * Reads the dates of a file as spreadsheets write them (`1.12.2026`, `12/1/2026 12:00 AM`, `2026/12/01`), as UTC. Whether day or month
 * comes first is told by a date that can only be read in one way; without one, `12/1/2026` is refused. Other text stays as it is.
 */
export function dateReader(cells: Iterable<string>): CellReader {
  let [isDayFirst, isMonthFirst] = [false, false];
  for (const cell of cells) {
    const date = dateOf(cell);
    if (date === null || 'month' in date || date.mark === '.') continue;
    isDayFirst ||= Number(date.first) > 12;
    isMonthFirst ||= Number(date.second) > 12;
  }
  return (cell) => {
    const date = dateOf(cell);
    if (date === null) return cell;
    if ('month' in date) return written(date.year, date.month, date.day, date.time);
    const { first, second, mark, year, time } = date;
    const [dayFirst, monthFirst] = [written(year, second, first, time), written(year, first, second, time)];
    if (mark === '.' || first === second) return dayFirst;
    if (isDayFirst !== isMonthFirst) return isDayFirst ? dayFirst : monthFirst;
    return { unclear: `may be ${dayFirst} or ${monthFirst}; write it like 2026-01-31` };
  };
}

type ReadDate = { year: string; time: string } & (
  | { month: string; day: string }
  | { first: string; second: string; mark: string }
);

function dateOf(cell: string): ReadDate | null {
  const [match, one = '', mark = '', two = '', three = '', hour, minute, second, half] =
    DATE.exec(cell.trim()) ?? [];
  if (match === undefined) return null;
  const time = hour === undefined ? '' : `T${hourOf(hour, half)}:${minute}:${second ?? '00'}Z`;
  if (one.length === 4 && three.length <= 2) return { year: one, month: pad(two), day: pad(three), time };
  if (one.length > 2 || three.length !== 4) return null;
  return { year: three, first: pad(one), second: pad(two), mark, time };
}

function hourOf(hour: string, half: string | undefined): string {
  if (half === undefined) return pad(hour);
  return pad(String((Number(hour) % 12) + (half.toUpperCase() === 'P' ? 12 : 0)));
}

function written(year: string, month: string, day: string, time: string): string {
  return `${year}-${month}-${day}${time}`;
}

function pad(text: string): string {
  return text.padStart(2, '0');
}

/** What spreadsheets of other languages make of `true` and `false` in a file that they save. */
const FLAGS: Readonly<Record<string, string>> = {
  wahr: 'true',
  vrai: 'true',
  verdadero: 'true',
  verdadeiro: 'true',
  vero: 'true',
  waar: 'true',
  prawda: 'true',
  falsch: 'false',
  faux: 'false',
  falso: 'false',
  onwaar: 'false',
  fałsz: 'false',
};

/** `WAHR` as `true`; any other text stays as it is. */
export function readFlagWord(cell: string): string {
  return FLAGS[cell.trim().toLowerCase()] ?? cell;
}
