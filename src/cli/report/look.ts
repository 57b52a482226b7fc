// How a report looks: one style sheet, light and dark by the reader's own setting, and on paper.

const light = `
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --soft: #5c6779; --line: #e3e7ed; --plot: #f3f5f8;
  --succeeded: #2f9e77; --failed: #d2422f; --running: #2f7de1; --lost: #d99a00; --given_back: #a9b3c1;
  --cancelled: #8b62cf; --waiting: #dfe4ea; --ready: #b7c4d6; --backoff: #e9bf66; --assigned: #7fb2ef;`;
const dark = `
  --page: #10141b; --card: #181e28; --ink: #e6ebf2; --soft: #94a1b5; --line: #2a3342; --plot: #131923;
  --succeeded: #3db48a; --failed: #f0654f; --running: #5aa0f5; --lost: #e8b23a; --given_back: #5d697a;
  --cancelled: #a985e6; --waiting: #2c3544; --ready: #45536a; --backoff: #a8873f; --assigned: #3f6ea5;`;

const states = [
  "waiting",
  "ready",
  "backoff",
  "assigned",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "lost",
  "given_back",
];

export const look = `
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
@media print { :root { color-scheme: light; ${light} --page: #fff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 48px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0; overflow-wrap: anywhere; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 0 0 4px; }
p { margin: 0; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.9em; }
.soft { color: var(--soft); }
.head { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; }
.verdict { font-size: 18px; margin: 10px 0 4px; overflow-wrap: anywhere; }
.pill { display: inline-flex; gap: 7px; align-items: center; padding: 3px 12px; border-radius: 99px; font-weight: 600; color: var(--ink); border: 1.5px solid currentColor; }
.pill i { width: 9px; height: 9px; border-radius: 50%; background: currentColor; }
.t-succeeded { color: var(--succeeded); } .t-failed { color: var(--failed); } .t-cancelled { color: var(--cancelled); }
.t-running { color: var(--running); } .t-open, .t-waiting { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px; margin-top: 18px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr)); gap: 18px; }
.figures b { display: block; font-size: 23px; font-weight: 650; line-height: 1.25; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
.share { height: 12px; border-radius: 6px; margin: 20px 0 10px; overflow: hidden; }
#stream, #grid { margin-top: 14px; cursor: crosshair; touch-action: pan-y; }
.plot { fill: var(--plot); } .tick { stroke: var(--line); stroke-width: 1; fill: none; } .rule { stroke: var(--line); stroke-width: 1; }
.label { fill: var(--soft); font-size: 12px; text-anchor: end; } .time { fill: var(--soft); font-size: 12px; text-anchor: middle; font-variant-numeric: tabular-nums; }
${states.map((state) => `.s-${state} { fill: var(--${state}); background: var(--${state}); }`).join("\n")}
.l1 { fill-opacity: 0.3; } .l2 { fill-opacity: 0.5; } .l3 { fill-opacity: 0.75; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 12px; font-size: 13px; color: var(--soft); }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
table { border-collapse: collapse; width: 100%; margin-top: 10px; }
th { text-align: left; font-size: 13px; font-weight: 500; color: var(--soft); padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: middle; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { width: 34%; min-width: 90px; padding-right: 0; } .bar svg { height: 9px; border-radius: 4px; }
.track { fill: var(--plot); }
.error { border-top: 1px solid var(--line); padding: 14px 0 4px; margin-top: 14px; display: grid; grid-template-columns: 84px 1fr; gap: 4px 16px; }
.error > b { font-size: 19px; color: var(--failed); text-align: right; font-variant-numeric: tabular-nums; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; line-height: 1.45; font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)); gap: 18px; } .columns > section { min-width: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 22px; margin: 10px 0 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
details { margin-top: 14px; } summary { cursor: pointer; color: var(--soft); } details pre { margin-top: 10px; background: var(--plot); border-radius: 8px; padding: 12px 14px; }
footer { color: var(--soft); font-size: 13px; margin-top: 22px; }
#tip { position: fixed; z-index: 9; max-width: 360px; background: var(--ink); color: var(--page); padding: 7px 11px; border-radius: 8px; font-size: 13px; line-height: 1.4; white-space: pre-line; pointer-events: none; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
#tip[hidden] { display: none; }
@media (max-width: 640px) { main { padding: 20px 12px; } section { padding: 16px 14px; } .error { grid-template-columns: 1fr; } .error > b { text-align: left; } .bar { display: none; } }
@media print { main { max-width: none; padding: 0; } section { break-inside: avoid; border-color: #d5dae2; margin-top: 12px; } #tip { display: none; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;
