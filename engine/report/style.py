"""How the page looks: one column of quiet type, numbers in line, two colours; light and dark."""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#17212b;--soft:#5b6874;--rule:#dfe4e8;--wash:#f4f6f8;--blue:#0f6a8c;
--wide:#0f6a8c26;--narrow:#0f6a8c4d;--cover:#0f6a8c0d;--warn:#b2470c}
@media (prefers-color-scheme:dark){:root{--paper:#11161b;--ink:#e4e9ed;--soft:#9aa6b1;--rule:#2a333b;--wash:#192027;
--blue:#62bfdd;--wide:#62bfdd2e;--narrow:#62bfdd57;--cover:#62bfdd12;--warn:#f2935a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
body>*{max-width:1160px;margin-inline:auto;padding-inline:20px}
header{padding-top:44px}
h1{font-size:31px;line-height:1.15;font-weight:650;letter-spacing:-.015em;margin:4px 0 14px;text-wrap:balance}
h2{font-size:20px;line-height:1.25;font-weight:650;letter-spacing:-.005em;margin:0 0 6px}
h3{font-size:15px;font-weight:650;margin:28px 0 8px}
p{margin:0 0 12px;max-width:72ch;text-wrap:pretty}
.soft,.note{color:var(--soft)}.note{font-size:13px}
.lead{font-size:19px;line-height:1.5;max-width:62ch}
.warn{color:var(--warn)}
a{color:var(--blue);text-decoration-thickness:1px;text-underline-offset:3px}
nav{display:flex;flex-wrap:wrap;gap:6px 22px;font-size:14px;padding-top:30px}
section{margin-top:56px}
section::before{content:"";display:block;border-top:1px solid var(--ink);margin-bottom:14px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,210px),1fr));gap:26px 28px;margin:30px 0 0}
.figures div{border-top:1px solid var(--rule);padding-top:10px}
dt{color:var(--soft);font-size:13px}
dd{margin:0}
.figures dd{font-size:26px;line-height:1.25;font-weight:500;letter-spacing:-.01em}
.figures dd.note{font-size:13px;font-weight:400;letter-spacing:0;line-height:1.45;margin-top:2px}
.alert{border-left:3px solid var(--warn);padding:2px 0 2px 14px;margin:20px 0 0}
table{border-collapse:collapse;width:100%;max-width:920px;font-size:14px;margin:10px 0 4px}
th,td{text-align:left;vertical-align:top;padding:7px 16px 7px 0;border-top:1px solid var(--rule);font-weight:400}
thead th{color:var(--soft);font-size:13px;border-top:0;vertical-align:bottom;padding-block:0 6px;line-height:1.3}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right;white-space:nowrap}
thead .number{white-space:normal}
th small,h3 small{display:block;color:var(--soft);font-size:13px;font-weight:400}
tbody th{min-width:8.5em}
thead th{overflow-wrap:normal}
.meter{display:block;width:100%;min-width:60px;height:8px;margin-top:7px}
details{border-top:1px solid var(--rule)}
details:last-of-type{border-bottom:1px solid var(--rule)}
summary{display:grid;grid-template-columns:14px 1fr 100px minmax(170px,auto);gap:0 12px;align-items:baseline;
padding:12px 0;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"+";color:var(--soft)}
details[open]>summary::before{content:"\\2212"}
summary b{font-weight:600}
summary span{color:var(--soft);font-size:14px;text-align:right}
summary span.sum{color:var(--ink)}
.inside{padding:0 0 18px 26px}
.inside table{max-width:none}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:0 48px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr));gap:28px 34px;margin-top:18px}
.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:20px 56px;align-items:start}
.charts figure,.beside figure{margin:0;max-width:400px}
.beside .figures{margin-top:16px;gap:20px;grid-template-columns:repeat(auto-fill,minmax(min(100%,150px),1fr))}
.beside .figures+*{margin-top:20px}
figcaption{font-size:14px;font-weight:600;margin-bottom:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:44px 40px;margin-top:24px}
.cards article{border-top:1px solid var(--rule);padding-top:12px;display:flex;flex-direction:column;min-width:0}
.cards h3{margin:2px 0 0;font-size:16px;line-height:1.3}
.cards .order{font-size:22px;line-height:1.3;margin:10px 0 8px;font-weight:500}
.cards .order small{font-size:14px;font-weight:400;color:var(--soft);margin-left:10px}
.cards .why{color:var(--blue);font-size:13px}
.cards p{margin:10px 0 0;font-size:14px}
.cards p.note{margin:2px 0 0;font-size:13px}
.small{display:grid;grid-template-columns:repeat(3,1fr);gap:8px 16px;margin:12px 0 0;font-size:14px}
.small dt{font-size:12px}
pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;background:var(--wash);
padding:14px 16px;margin:0;border-radius:3px}
footer{color:var(--soft);font-size:13px;padding-block:44px 60px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg+svg{margin-top:16px}
svg text{font-size:11px;fill:var(--soft)}
svg path{fill:none}
.grid{stroke:var(--rule);stroke-width:.75}.base{stroke:var(--soft);stroke-width:.75}
.bar{fill:var(--blue)}.track{fill:var(--rule)}.hot{fill:var(--warn)}.helpers{fill:var(--narrow)}.disk{fill:var(--ink)}
svg .wide{fill:var(--wide)}svg .narrow{fill:var(--narrow)}svg .cover{fill:var(--cover)}
.median{stroke:var(--blue);stroke-width:1.75;stroke-linejoin:round}
.sold{stroke:var(--ink);stroke-width:1.1;stroke-linejoin:round}
.out{stroke:var(--warn);stroke-width:1.5}
.now{stroke:var(--soft);stroke-width:.75;stroke-dasharray:2 2}
.bracket{stroke:var(--blue);stroke-width:1.5}
svg .bracket-words,svg text.after{fill:var(--blue)}svg path.after{fill:var(--blue)}
svg text.before{fill:var(--ink)}svg path.before{fill:var(--ink)}
.ideal{stroke:var(--soft);stroke-width:.75;stroke-dasharray:3 3}.point{fill:var(--blue)}
.key{display:flex;flex-wrap:wrap;gap:4px 22px;font-size:13px;color:var(--soft);margin:8px 0 0;padding:0;list-style:none}
.key svg{display:inline-block;width:26px;height:12px;vertical-align:-1px;margin-right:7px}
@media (max-width:640px){.spare{display:none}body>*{padding-inline:16px}header{padding-top:26px}h1{font-size:26px}
.lead{font-size:17px}.figures{grid-template-columns:1fr 1fr;gap:20px 18px}.figures dd{font-size:22px}
section{margin-top:40px}th,td{padding-right:12px}summary{grid-template-columns:14px 1fr auto}
summary b{grid-column:2/4}summary span{grid-column:2;text-align:left}summary span.sum{grid-column:3}
.inside{padding-left:0}}
@media print{nav{display:none}article,tr,figure{break-inside:avoid}}
"""
