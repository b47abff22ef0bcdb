/** The page's only style sheet. Sizes are in rem, so that zoom and larger type keep the layout; colours are Okabe and Ito's. */
export const style = `
:root { color-scheme: light dark; --ground: #fff; --raised: #fff; --text: #1c2126; --muted: #59636e; --line: #d5dae0; --faint: #edf0f3; --present: #0072b2; --absent: #b45309; --right: #1a6b3c; --wrong: #a4262c; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --raised: #1b1f24; --text: #e4e7ea; --muted: #9ba5af; --line: #363d45; --faint: #262b31; --present: #56b4e9; --absent: #e69f00; --right: #6fcf97; --wrong: #ff8f87; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 72rem; background: var(--ground); color: var(--text); font: 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4, p, ul, ol, dl { margin: 0 0 0.75rem; }
h1 { font-size: 1.875rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; }
h2 { font-size: 1.125rem; font-weight: 650; margin-top: 2.75rem; padding-top: 0.75rem; border-top: 1px solid var(--text); }
h3 { font-size: 1.1875rem; font-weight: 650; margin: 0; }
h4 { font-size: 0.8125rem; font-weight: 600; margin: 0 0 0.375rem; }
a { color: inherit; text-decoration-color: var(--muted); text-underline-offset: 0.15em; }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--present); outline-offset: 2px; }
p, .reading li { max-width: 46rem; }
.kicker, .muted, figcaption, .legend, .facts dd { color: var(--muted); }
.kicker { font-size: 0.8125rem; margin-bottom: 0.5rem; }
.lead { font-size: 1.0625rem; }
sub { line-height: 0; }
.muted, .legend { font-size: 0.8125rem; font-weight: 400; }
nav ol { padding-left: 1.5rem; }
nav li { margin-bottom: 0.25rem; }
.notes { padding: 0.5rem 0.75rem 0.5rem 1.75rem; border-left: 3px solid var(--absent); background: var(--faint); max-width: 46rem; }
.card { margin: 1rem 0; padding: 1rem 1.25rem; border: 1px solid var(--line); border-radius: 4px; background: var(--raised); }
.card > header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.75rem; margin-bottom: 0.5rem; }
.rank { font-variant-numeric: tabular-nums; font-weight: 650; min-width: 1.5rem; color: var(--muted); }
h3 + .towards, .towards { color: var(--muted); font-size: 0.875rem; }
.towards b { color: var(--text); }
details > summary { cursor: pointer; }
details.card > summary .name { font-weight: 600; margin-right: 0.5rem; }
details[open] > summary { margin-bottom: 0.75rem; }
details.card { padding: 0.625rem 1.25rem; margin: 0.5rem 0; }
.figures { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; margin: 0.75rem 0 1rem; }
.figures dt { font-size: 0.75rem; color: var(--muted); }
.figures dd { margin: 0; font-size: 1.0625rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures dd.muted { font-size: 0.8125rem; font-weight: 400; }
.scroll { overflow-x: auto; margin-bottom: 1rem; overflow-wrap: normal; }
table { border-collapse: collapse; font-size: 0.8125rem; line-height: 1.35; }
th, td { text-align: left; vertical-align: middle; padding: 0.1875rem 0.875rem 0.1875rem 0; border-bottom: 1px solid var(--faint); font-weight: 400; }
tbody th { min-width: 6.5rem; max-width: 16rem; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-size: 0.75rem; vertical-align: bottom; border-bottom-color: var(--line); white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.sure .gap { font-weight: 700; }
table.classes td:first-child, table.classes th:first-child { width: 10rem; }
.classes .number { min-width: 3.25rem; }
.more { margin: -0.5rem 0 1rem; }
.bars { display: block; max-width: none; }
.bars text { font-size: 9px; fill: var(--muted); }
.bars .grid { stroke: var(--line); fill: none; }
.present .bar { fill: var(--present); fill-opacity: 0.4; stroke: var(--present); }
.absent .bar { fill: url(#hatch); stroke: var(--absent); }
.hatch-ground { fill: var(--raised); }
.hatch-line { fill: var(--absent); fill-opacity: 0.4; }
.whisker { stroke: var(--text); stroke-width: 1.25; fill: none; }
.mark { stroke: var(--raised); stroke-width: 1; }
.present .mark { fill: var(--present); }
.absent .mark { fill: var(--absent); }
.defs { position: absolute; }
.key { display: inline-block; width: 0.75rem; height: 0.625rem; margin-right: 0.25rem; border: 1px solid var(--present); background: color-mix(in srgb, var(--present) 40%, transparent); }
.key.absent { border-color: var(--absent); background: repeating-linear-gradient(-45deg, var(--absent) 0 1px, transparent 1px 3px); }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem; margin-bottom: 0.75rem; }
.chart svg { display: block; max-width: 100%; height: auto; }
.chart > figcaption { font-size: 0.8125rem; font-weight: 600; color: var(--text); margin: 0 0 0.375rem; }
.chart text { font-size: 10.5px; fill: var(--muted); }
.chart text.strong { fill: var(--text); font-weight: 600; }
.chart .grid { stroke: var(--line); fill: none; }
.chart .marked { stroke: var(--text); stroke-dasharray: 1 3; fill: none; }
.series { --series: var(--present); }
.series-1 { --series: var(--absent); }
.series-2 { --series: var(--right); }
.series-3 { --series: var(--wrong); }
.series text { fill: var(--series); }
.series .line { stroke: var(--series); stroke-width: 1.75; fill: none; stroke-linejoin: round; }
.series-1 .line { stroke-dasharray: 6 3; }
.series-2 .line { stroke-dasharray: 2 2; }
.series-3 .line { stroke-dasharray: 7 2 2 2; }
.series .leader { stroke: var(--line); fill: none; }
.series .dot { fill: var(--series); stroke: var(--ground); stroke-width: 1; }
tr.pair > * { border-bottom: 0; }
.gallery h3 { font-size: 0.9375rem; margin-bottom: 0.375rem; }
.gallery ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0.625rem; margin-bottom: 1rem; }
.gallery li { width: 6rem; }
figure { margin: 0; }
figure img, .no-picture { display: block; width: 6rem; height: 6rem; object-fit: contain; background: var(--faint); }
.no-picture { display: grid; place-items: center; font-size: 0.75rem; color: var(--muted); border: 1px dashed var(--line); }
figcaption { font-size: 0.75rem; line-height: 1.3; margin-top: 0.1875rem; }
.right { color: var(--right); }
.wrong { color: var(--wrong); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.125rem 1.25rem; font-size: 0.8125rem; }
.facts dd { margin: 0; }
@media (max-width: 40rem) { body { padding: 1rem 0.75rem 2rem; } .card { padding: 0.75rem; } .facts { grid-template-columns: 1fr; } .facts dd { margin-bottom: 0.375rem; } }
@media (forced-colors: active) { .present .bar, .present .mark { fill: CanvasText; } .key { forced-color-adjust: none; } }
@media print { details::details-content { content-visibility: visible; block-size: auto; } :root { --ground: #fff; --raised: #fff; --text: #000; --muted: #444; --line: #bbb; --faint: #eee; --present: #0072b2; --absent: #b45309; --right: #1a6b3c; --wrong: #a4262c; } body { max-width: none; padding: 0; font-size: 9pt; } .card { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 0.5rem 0; } tr, figure, .figures, h2, h3 { break-inside: avoid; } h2, h3, h4 { break-after: avoid; } .scroll { overflow: visible; } img, .key { print-color-adjust: exact; } }
`;
