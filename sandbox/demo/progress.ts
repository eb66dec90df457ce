import { MultiBar, type SingleBar } from 'cli-progress';
import { DAY_MS } from '../../src/platform/clock.ts';
import type { DriveProgress } from './drive.ts';
import { roughly } from './expected-length.ts';
import { columnsOf, paintsFor } from './terminal-text.ts';

export interface DemoProgress {
  show(progress: DriveProgress): void;
  stop(): void;
}

interface Played {
  dayCount: number;
  startMs: number;
}

/** One block that stands still on a terminal, a line for each tenth elsewhere; always on standard error. */
export function createDemoProgress(played: Played, options: { plain: boolean }): DemoProgress {
  return process.stderr.isTTY && !options.plain ? createBlock(played) : createLines(played.dayCount);
}

const COUNTS = [
  ['collected', 'collectedRowCount', 'rows of Azure Monitor'],
  ['metered', 'sentEventCount', 'events in OpenMeter'],
  ['settled', 'settledHourCount', 'hours read back and equal'],
  ['pushed', 'deliveredPushCount', 'meter events to Stripe'],
] as const;

const DAY = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  timeZone: 'UTC',
});

function createBlock({ dayCount, startMs }: Played): DemoProgress {
  const { accent, dim } = paintsFor(process.stderr);
  const multi = new MultiBar({
    stream: process.stderr,
    clearOnComplete: false,
    hideCursor: true,
    barsize: Math.min(30, columnsOf(process.stderr) - 50),
    barCompleteChar: '━',
    barIncompleteChar: '─',
    format: `  ${accent('{bar}')}  {text}`,
  });
  const bar = multi.create(dayCount, 0, { text: 'starting' });
  const lines = COUNTS.map(() => multi.create(1, 0, { text: '' }, { format: '  {text}' }));
  const write = (line: SingleBar | undefined, text: string) => line?.update({ text });
  COUNTS.forEach(([name], index) => {
    write(lines[index], dim(name.padStart(9)));
  });
  const startedMs = performance.now();
  let firstDay: number | null = null;
  return {
    show: (progress) => {
      const reached = Math.min(progress.dayCount, dayCount);
      firstDay ??= reached;
      const share = (reached - firstDay) / Math.max(dayCount - firstDay, 1e-9);
      const elapsed = (performance.now() - startedMs) / 1_000;
      const left = share > 0.05 && share < 1 ? `, ${roughly((elapsed * (1 - share)) / share)} left` : '';
      const date = DAY.format(startMs + Math.min(reached, dayCount - 0.01) * DAY_MS);
      const day = Math.min(dayCount, Math.floor(reached) + 1);
      bar.update(reached, { text: `day ${day} of ${dayCount}, ${date}${left}` });
      COUNTS.forEach(([name, field, what], index) => {
        const count = progress[field].toLocaleString('en').padStart(9);
        write(lines[index], `${dim(name.padStart(9))} ${count}  ${dim(what)}`);
      });
    },
    stop: () => multi.stop(),
  };
}

const LINES = [
  ['virtual days', 'dayCount'],
  ['rows collected', 'collectedRowCount'],
  ['events metered', 'sentEventCount'],
  ['hours settled', 'settledHourCount'],
  ['pushes delivered', 'deliveredPushCount'],
] as const;

function createLines(dayCount: number): DemoProgress {
  let tenth = -1;
  return {
    show: (progress) => {
      const reached = Math.floor((progress.dayCount / dayCount) * 10);
      if (reached === tenth) return;
      tenth = reached;
      const counts = LINES.map(
        ([name, field]) => `${name} ${field === 'dayCount' ? progress.dayCount.toFixed(1) : progress[field]}`,
      );
      process.stderr.write(`${counts.join(', ')}\n`);
    },
    stop: () => {},
  };
}
