import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { DriveProgress } from './drive.ts';

export interface DemoProgress {
  show(progress: DriveProgress): void;
  stop(): void;
}

/** Bars on a terminal, a line for each tenth elsewhere; always on standard error. */
export function createDemoProgress(dayCount: number): DemoProgress {
  return process.stderr.isTTY ? createBars(dayCount) : createLines(dayCount);
}

const LINES = [
  ['virtual days', 'dayCount'],
  ['rows collected', 'collectedRowCount'],
  ['events metered', 'sentEventCount'],
  ['hours settled', 'settledHourCount'],
  ['pushes delivered', 'deliveredPushCount'],
] as const;

function createBars(dayCount: number): DemoProgress {
  const multi = new MultiBar(
    { stream: process.stderr, clearOnComplete: false, hideCursor: true, format: '{name} {bar} {count}' },
    Presets.shades_classic,
  );
  const bars = LINES.map(([name]) => multi.create(dayCount, 0, { name: name.padStart(17), count: '' }));
  return {
    show: (progress) =>
      LINES.forEach(([, field], index) => {
        const count =
          field === 'dayCount'
            ? `${progress.dayCount.toFixed(1)} of ${dayCount}`
            : progress[field].toLocaleString('en');
        (bars[index] as SingleBar).update(Math.min(progress.dayCount, dayCount), { count });
      }),
    stop: () => multi.stop(),
  };
}

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
