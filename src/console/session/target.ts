const HOME = '/console';

/** A path of the console, wherever a text would lead: what is no such path is the console's own. */
export function consoleTarget(text: string | null | undefined): string {
  const base = 'http://console.invalid';
  if (text === null || text === undefined || !text.startsWith('/') || !URL.canParse(text, base)) return HOME;
  const url = new URL(text, base);
  const isOurs = url.origin === base && (url.pathname === HOME || url.pathname.startsWith(`${HOME}/`));
  return isOurs ? `${url.pathname}${url.search}` : HOME;
}
