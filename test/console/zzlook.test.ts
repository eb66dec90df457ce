import { it } from 'vitest';
import { openConsole } from './walk.ts';
import { fillConsole } from './world.ts';

it('look', async () => {
  const bench = await openConsole();
  await fillConsole(bench);
  for (const path of (
    process.env.LOOK ?? '/console/pipeline,/console/audit,/console/start,/console/search?q=n'
  ).split(','))
    for (const width of [1280, 360])
      for (const colorScheme of ['light', 'dark'] as const) {
        if ((width === 1280) !== (colorScheme === 'light') && process.env.ALL === undefined) continue;
        const { page, complaints, close, status } = await bench.open(path, { width, colorScheme });
        const name = path.replace(/\W+/g, '_');
        await page.screenshot({ path: `/tmp/shots/${name}-${width}-${colorScheme}.png`, fullPage: true });
        console.log(path, width, colorScheme, status, complaints);
        await close();
      }
  const { page, close } = await bench.open('/console/sign-in', { scope: null, width: 360 });
  await page.screenshot({ path: '/tmp/shots/signin.png' });
  await close();
  await bench.close();
});
