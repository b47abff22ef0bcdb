import { barPatterns } from './bars';
import { html, type Html } from './html';
import { style } from './style';

const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * A self-contained HTML page: no script, nothing from elsewhere (a content security policy holds the browser to it).
 * Light and dark as the reader's system asks.
 */
export function pageShell(title: string, body: Html): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>RaVL: ${title}</title>
<style>${{ markup: style }}</style>
</head>
<body>
${barPatterns()}
${body}
</body>
</html>
`;
  return page.markup;
}
