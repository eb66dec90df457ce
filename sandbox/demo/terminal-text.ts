import path from 'node:path';
import { styleText } from 'node:util';

type Paint = (text: string) => string;

/** Colours where the stream is a terminal that has them; NO_COLOR and FORCE_COLOR are heeded. */
export function paintsFor(stream: NodeJS.WriteStream): {
  bold: Paint;
  dim: Paint;
  accent: Paint;
  alarm: Paint;
} {
  const paint =
    (...formats: Parameters<typeof styleText>[0][]): Paint =>
    (text) =>
      formats.reduce<string>((painted, format) => styleText(format, painted, { stream }), text);
  return { bold: paint('bold'), dim: paint('dim'), accent: paint('cyan'), alarm: paint('red', 'bold') };
}

/** Words broken into lines of at most so many columns; lines after the first begin with the indent. */
export function wrapWords(text: string, columnCount: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    const width = longer.length + (lines.length === 0 ? 0 : indent.length);
    if (width > columnCount && line !== '') {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].join(`\n${indent}`);
}

/** How wide what is written to it may be: a terminal's columns, at most as wide as is read with ease. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  return Math.min(Math.max(stream.columns ?? 100, 60), 110);
}

/** A path as one would type it: from here where it lies below, else from the root. */
export function shownPath(file: string): string {
  const fromHere = path.relative(process.cwd(), file);
  return fromHere.startsWith('..') ? file : fromHere;
}
