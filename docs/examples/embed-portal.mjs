// The portal in a page of yours: `node docs/examples/embed-portal.mjs`, beside a service that lets http://127.0.0.1:8790 frame it.
import { createServer } from 'node:http';

const {
  API = 'http://127.0.0.1:8787',
  PORTAL_KEY,
  CUSTOMER = 'northwind',
  USER_ID,
  PORT = '8790',
} = process.env;
if (PORTAL_KEY === undefined) {
  console.error('Set PORTAL_KEY: tallystick keys create --name example --scope portal');
  process.exit(1);
}

/** For whom you have signed in: here, always the same. */
async function beginSession() {
  const answer = await fetch(`${API}/v1/portal/sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${PORTAL_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ customerId: CUSTOMER, userId: USER_ID ?? null, validMinutes: 30 }),
  });
  const session = await answer.json();
  if (!answer.ok) throw new Error(session.detail);
  return session;
}

createServer(async (request, response) => {
  if (request.url !== '/') return response.writeHead(404).end();
  try {
    const { url } = await beginSession();
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(`<!doctype html>
<html lang="en">
<title>Our app: usage</title>
<style>body { margin: 0; font: 16px system-ui } header { padding: 12px 20px } iframe { width: 100%; height: calc(100vh - 60px); border: 0 }</style>
<header>Our app</header>
<iframe src="${encodeURI(url)}" title="Usage and invoices" referrerpolicy="no-referrer"></iframe>
</html>`);
  } catch (error) {
    response
      .writeHead(502, { 'content-type': 'text/plain; charset=utf-8' })
      .end(`No session: ${error.message}`);
  }
}).listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}`));
