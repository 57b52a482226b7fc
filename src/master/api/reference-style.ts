// How the reference page looks: light and dark as the reader's system is, without anything from elsewhere.

export const referenceStyle = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d8dee4;--code:#f3f5f7;--link:#0550ae;
--get:#0550ae;--post:#116329;--put:#7a4b00;--patch:#7a4b00;--delete:#a40e26}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e6e9ec;--soft:#9aa4ae;--line:#2b323a;--code:#1a2027;
--link:#79b8ff;--get:#79b8ff;--post:#6fd08c;--put:#e3b341;--patch:#e3b341;--delete:#ff8a80}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.55 system-ui,sans-serif;display:grid;
grid-template-columns:21rem minmax(0,1fr)}
a{color:var(--link)}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--bg);padding:.5rem}
nav{position:sticky;top:0;height:100vh;overflow:auto;border-right:1px solid var(--line);padding:1.25rem 1rem}
nav ul{list-style:none;margin:0;padding:0}nav ul ul{margin:.1rem 0 .7rem}
nav li a{display:flex;gap:.5rem;padding:.12rem 0;text-decoration:none;color:var(--fg);overflow-wrap:anywhere}
nav>ul>li>a{font-weight:600;text-transform:capitalize}
nav li a:hover span,nav>ul>li>a:hover{text-decoration:underline}
nav ul ul a{font:12px/1.5 ui-monospace,monospace}
.brand{font-weight:700;font-size:1.1rem;margin:0 0 .8rem}
main{padding:1.5rem 2.5rem 6rem;max-width:62rem}
h1{font-size:1.7rem;margin:.2rem 0 0}
h2{font-size:1.25rem;margin:2.6rem 0 .6rem;text-transform:capitalize}
h3{font-size:1rem;margin:0 0 .3rem;font-weight:600}h4{margin:1.1rem 0 .2rem;font-size:.85rem;color:var(--soft)}
article{border-top:1px solid var(--line);padding:1.3rem 0}
article:target{outline:2px solid var(--link);outline-offset:.6rem;border-radius:2px}
code{font:13px ui-monospace,monospace;background:var(--code);border-radius:3px;padding:.08em .3em;overflow-wrap:anywhere}
h3 code{font-size:14px}h3 i{color:var(--soft)}
pre{background:var(--code);padding:.8rem 1rem;border-radius:5px;overflow:auto}pre code{padding:0;background:none}
.m{font:600 11px/1.7 ui-monospace,monospace;min-width:3.4rem;display:inline-block}
.get{color:var(--get)}.post{color:var(--post)}.put{color:var(--put)}.patch{color:var(--patch)}
.delete{color:var(--delete)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.87rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
th[scope=col]{color:var(--soft);font-weight:500}
tbody th{font-weight:500}
.schema{list-style:none;padding-left:1rem;border-left:1px solid var(--line);margin:.2rem 0;font-size:.87rem}
.schema li{padding:.1rem 0}.type{color:var(--soft);margin:.1rem 0}em{color:var(--soft);font-size:.8rem}
@media (max-width:52rem){body{display:block}nav{position:static;height:auto;border-right:0;
border-bottom:1px solid var(--line)}main{padding:1rem 1rem 4rem}}
@media print{nav,.skip{display:none}body{display:block}}
`;
