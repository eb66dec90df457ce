import type { Api, ApiDependencies } from './dependencies.ts';

/** The files of `swagger-ui-dist` the page needs; nothing else is served from there. */
export const REFERENCE_PAGE_FILES: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tallystick API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START_SCRIPT = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  validatorUrl: null,
});
`;

/** Scripts and styles from here only; Swagger UI itself sets inline styles and data: images. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/** Adds `/docs`: the reference page, with every file served from here and none from a CDN. */
export function addReferencePage(api: Api, { assets }: ApiDependencies): void {
  if (assets === undefined) return;
  api.get('/docs', (context) =>
    context.html(PAGE, 200, { 'Content-Security-Policy': CONTENT_SECURITY_POLICY }),
  );
  api.get('/docs/start.js', (context) =>
    context.body(START_SCRIPT, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }),
  );
  for (const [name, contentType] of Object.entries(REFERENCE_PAGE_FILES)) {
    api.get(`/docs/${name}`, async (context) => {
      const content = await assets(name);
      if (content === null) return context.notFound();
      return context.body(content, 200, {
        'Content-Type': contentType,
        'Cache-Control': 'public, max-age=3600',
      });
    });
  }
}
