/** The cookie of a signed-in browser, as Playwright takes it. */
export function sessionCookie(value: string) {
  return {
    name: 'tallystick_session',
    value,
    domain: '127.0.0.1',
    path: '/',
    expires: -1,
    httpOnly: true,
    secure: false,
    sameSite: 'Lax' as const,
  };
}
