/** What the sheet's colours stand on; text needs 4.5:1 against the worse of them. */
const GROUNDS = { light: '#eef1f4', dark: '#1d252d' } as const;
const LEAST_CONTRAST = 4.5;
const USUAL = '#0b5c74';

/** A colour as it can be read on a ground, and what can be read on it. */
interface Accent {
  accent: string;
  onAccent: string;
}

/** The seller's colour for a theme, made darker or lighter until words in it can be read. */
export function accentFor(color: string | null, theme: keyof typeof GROUNDS): Accent {
  const target = theme === 'light' ? 0 : 255;
  const given = channelsOf(color ?? USUAL);
  for (let step = 0; step <= 20; step += 1) {
    const channels = given.map((channel) => Math.round(channel + ((target - channel) * step) / 20));
    if (contrast(channels, channelsOf(GROUNDS[theme])) < LEAST_CONTRAST) continue;
    const onAccent = contrast(channels, [255, 255, 255]) >= LEAST_CONTRAST ? '#ffffff' : '#10161c';
    return { accent: hexOf(channels), onAccent };
  }
  return theme === 'light'
    ? { accent: '#000000', onAccent: '#ffffff' }
    : { accent: '#ffffff', onAccent: '#10161c' };
}

function channelsOf(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}

function hexOf(channels: readonly number[]): string {
  return `#${channels.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(one: readonly number[], other: readonly number[]): number {
  const [lighter = 0, darker = 0] = [luminance(one), luminance(other)].sort((left, right) => right - left);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(channels: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = channels.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
