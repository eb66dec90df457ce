import type { html } from 'hono/html';

/** A piece of a page, in which every text from outside is escaped already. */
export type Html = ReturnType<typeof html>;
