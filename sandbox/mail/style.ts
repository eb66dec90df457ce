/** Sheet of the mailbox: phone, desk, dark. */
export const MAIL_STYLE = `
:root { color-scheme: light dark; --ink: #1b2430; --soft: #55606e; --line: #d9dee5; --paper: #ffffff; --ground: #f1f3f6; --accent: #0b5c74; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7ebf0; --soft: #a9b4c0; --line: #38424e; --paper: #171d24; --ground: #0e1216; --accent: #6cc3dc; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
main { max-width: 52rem; margin: 2rem auto; padding: 2rem 2.25rem; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.01em; }
p { margin: 0.4rem 0; }
a { color: var(--accent); }
.soft { color: var(--soft); font-size: 0.9rem; }
.mails { margin: 1.2rem 0 0; padding: 0; list-style: none; }
.mails li { display: grid; gap: 0.1rem; padding: 0.6rem 0; border-top: 1px solid var(--line); }
.text { margin-top: 1.2rem; white-space: pre-line; }
@media (max-width: 40rem) { main { margin: 0; padding: 1.4rem 1.1rem; border: 0; border-radius: 0; } }
`;
