"""How pages look: light, dark, on paper, on a phone; and the little that moves on them.

Pages work without the script. It shows a chart's values under the pointer, turns a stack of
sections into one with a slider, and copies places.
"""

# the page's own colours, then those of curves: Okabe and Ito's without yellow and black, which the
# colour-blind tell apart, lighter in the dark
LIGHT = {
    "ink": "#1c2126", "soft": "#5b6670", "line": "#dde2e6", "grid": "#e6eaed", "link": "#0b5c8a",
    "paper": "#ffffff", "panel": "#f4f6f8",
    "c0": "#0072b2", "c1": "#d55e00", "c2": "#009e73", "c3": "#cc79a7", "c4": "#e69f00",
    "c5": "#56b4e9",
}  # fmt: skip
DARK = {
    "ink": "#e3e7ea", "soft": "#9ca7b0", "line": "#343d45", "grid": "#2a3239", "link": "#79bdeb",
    "paper": "#14181c", "panel": "#1e242a",
    "c0": "#4ba6e0", "c1": "#f2803a", "c2": "#2fc598", "c3": "#e09bc6", "c4": "#f2b632",
    "c5": "#9ad6f7",
}  # fmt: skip
LINES = ("c0", "c1", "c2", "c3", "c4", "c5")


def _variables(scheme: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in scheme.items())


STYLE = (
    f"""
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
@media print {{ :root {{ color-scheme: light; }} }}
"""
    + """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 0 1rem 4rem; max-width: 76rem; color: var(--ink);
  background: var(--paper);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.2rem 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.4rem 0 .5rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; overflow-wrap: anywhere; }
p, ul { max-width: 46rem; margin: .4rem 0 .9rem; }
a, summary { color: var(--link); }
summary { cursor: pointer; overflow-wrap: anywhere; list-style-position: outside;
  margin-left: 1.1rem; }
small, figcaption, .soft { color: var(--soft); font-size: .87rem; }
body > nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: .7rem 0 .6rem;
  border-bottom: 1px solid var(--line); font-size: .9rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav [aria-current] { color: var(--ink); font-weight: 600; }
/* shadows tell of what is cut off: covers of the page's colour scroll over them at the ends */
.wide { overflow-x: auto; margin: .6rem 0 1.2rem; background:
  linear-gradient(to right, var(--paper) 1rem, transparent) 0 / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 1rem, transparent) 100% / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) 0 / .9rem 100% no-repeat scroll,
  linear-gradient(to left, var(--line), transparent) 100% / .9rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .8rem .34rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; }
td code, p code { overflow-wrap: anywhere; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; line-height: 1.3; }
td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
td.number small, .card small { white-space: nowrap; }
code, pre { font: .85rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; background: var(--panel); padding: .8rem 1rem; border-radius: .3rem; }
figure { margin: 0; min-width: 0; position: relative; }
figcaption { margin: .15rem 0 .2rem; line-height: 1.4; overflow-wrap: anywhere; }
img { display: block; width: 100%; }
.grid { display: grid; gap: 1rem; margin: .6rem 0 1.4rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)); }
.grid.voxels, .grid.photos {
  grid-template-columns: repeat(auto-fill, minmax(min(45%, var(--least)), 1fr)); }
.voxels img, .photos img { border-radius: .2rem; }
.voxels img { image-rendering: pixelated; }
.pairs img + img { margin-top: .3rem; }
.scale { display: block; height: 1.5rem; margin-top: .35rem; color: var(--soft);
  border-top: 3px solid var(--ink); font-size: .8rem; white-space: nowrap; }
.keys span { display: inline-block; margin-right: 1.2rem; }
.keys i { display: inline-block; width: .8em; height: .8em; margin-right: .4em;
  border-radius: .15em; vertical-align: -.05em; print-color-adjust: exact; }
.bars { margin: .6rem 0 1.4rem; max-width: 60rem; }
.bars p { margin: .7rem 0 .15rem; max-width: none; }
.bars > div { display: flex; height: 1.3rem; }
.bars > div > i { border-right: 1px solid var(--paper); print-color-adjust: exact; }
.bars .keys { margin: .2rem 0 0; }
.keys svg { width: 1.9em; height: .7em; margin-right: .4em; vertical-align: -.02em; fill: none; }
.legend { margin: .2rem 0 .4rem; max-width: none; line-height: 1.45; overflow-wrap: anywhere; }
.cards { display: grid; gap: 1.2rem 1.6rem; margin: .6rem 0 1.4rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); }
.card { background: var(--panel); border-radius: .4rem; padding: .7rem .9rem .5rem; min-width: 0; }
.card h3, .card p { margin: 0 0 .3rem; overflow-wrap: anywhere; }
.card p { font-size: .87rem; }
.card ul { margin: 0 0 .4rem; padding-left: 1.1rem; font-size: .87rem; }
.copy { user-select: all; white-space: nowrap; cursor: copy; padding: 0 .25em; border-radius: .2rem;
  background: var(--paper); border: 1px solid var(--line); }
.copied::after { content: " copied"; color: var(--soft); }
.place { white-space: nowrap; font-variant-numeric: tabular-nums; }
.views { display: flex; gap: 2%; align-items: flex-start; }
.stack > section > h3 { margin-top: 1rem; }
.stack > label { display: none; }
.stack.moving > label { display: flex; gap: .8rem; align-items: center; position: sticky; top: 0;
  z-index: 2; padding: .5rem 0; background: var(--paper); }
.stack.moving > label input { flex: 1; max-width: 28rem; accent-color: var(--c0); }
.stack.moving > label output { min-width: 9rem; color: var(--soft); font-size: .9rem;
  font-variant-numeric: tabular-nums; }
.stack.moving > section:not(.shown), .stack.moving > section > h3 { display: none; }
svg.chart { display: block; width: 100%; height: auto; color: var(--ink); overflow: visible; }
svg.chart * { stroke-linejoin: round; stroke-linecap: butt; }
.tip { position: absolute; z-index: 1; pointer-events: none; padding: .25rem .55rem;
  background: var(--paper); border: 1px solid var(--line); border-radius: .3rem;
  box-shadow: 0 .1rem .4rem #0003; font-size: .8rem; line-height: 1.4; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.tip i { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  margin-right: .4em; }
@media (max-width: 40rem) {
  h1 { font-size: 1.4rem; }
  .numbers th:first-child, .numbers td:first-child { position: sticky; left: 0; max-width: 9rem;
    min-width: 8rem; background: var(--paper); overflow-wrap: anywhere; }
  .folds { overflow: visible; background: none; }
  .folds thead { display: none; }
  .folds table, .folds tbody { display: block; }
  .folds tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr));
    padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .folds td, .folds td.number { padding: .15rem .5rem .25rem 0; border: 0; text-align: left; }
  .folds td::before { content: attr(data-name); display: block; color: var(--soft);
    font-size: .75rem; line-height: 1.2; white-space: normal; }
  .folds td:first-child { grid-column: 1 / -1; position: static; max-width: none; }
  .folds td:first-child::before { content: none; }
  .folds td.number, .folds small { white-space: normal; }
  .folds td.number small { font-size: .72rem; white-space: normal; }
}
@media print {
  @page { margin: 14mm; }
  :root { font-size: 10pt; }
  body { max-width: none; padding: 0; }
  body > nav, .tip, .stack > label { display: none !important; }
  .stack.moving > section.shown > h3 { display: block; }
  details::details-content { content-visibility: visible; }
  figure, .card, tr, .views { break-inside: avoid; }
  h1, h2, h3, figcaption, summary { break-after: avoid; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  td small { font-size: 7pt; }
  th, td { padding-right: .5rem; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); }
  .grid { grid-template-columns: repeat(2, 1fr); }
  .grid.voxels, .grid.photos { grid-template-columns: repeat(4, 1fr); gap: .4rem; }
  .cards { grid-template-columns: repeat(3, 1fr); gap: .8rem; }
  .card { padding: 0; }
  a { color: var(--ink); text-decoration: underline; }
}
"""
)

SCRIPT = """
for (const stack of document.querySelectorAll(".stack")) {
  const sections = [...stack.querySelectorAll(":scope > section")];
  if (sections.length < 2) continue;
  const slider = stack.querySelector("input"), words = stack.querySelector("output");
  const show = () => {
    sections.forEach((one, at) => one.classList.toggle("shown", at == slider.value));
    words.textContent = sections[slider.value].querySelector("h3").textContent;
  };
  slider.max = sections.length - 1;
  slider.value = stack.dataset.first;
  slider.addEventListener("input", show);
  stack.classList.add("moving");
  show();
  // decoded beforehand, so that no section flickers when it is first shown
  for (const image of stack.querySelectorAll("img")) image.decode().catch(() => {});
}
for (const chart of document.querySelectorAll("svg[data-hover]")) {
  const {axis, series} = JSON.parse(chart.dataset.hover), box = chart.viewBox.baseVal;
  const make = (name, values) => {
    const one = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in values) one.setAttribute(key, values[key]);
    return one;
  };
  const mark = make("g", {}), tip = document.createElement("div");
  tip.className = "tip";
  const frame = chart.parentElement;
  const hide = () => { mark.remove(); tip.remove(); };
  const show = (event) => {
    const place = chart.getBoundingClientRect(), scale = box.width / place.width;
    const x = (event.clientX - place.left) * scale;
    const near = series.map((one) => ({...one, at: one.points.reduce((best, point) =>
      Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best)}));
    const least = Math.min(...near.map((one) => Math.abs(one.at[0] - x)));
    const found = near.filter((one) => Math.abs(one.at[0] - x) < least + 1);
    const at = found[0].at[0], {top, bottom} = chart.dataset;
    mark.replaceChildren(make("line", {x1: at, x2: at, y1: top, y2: bottom,
      stroke: "var(--soft)", "stroke-width": 0.7}));
    tip.replaceChildren(axis + " " + found[0].at[2]);
    for (const one of found) {
      const row = document.createElement("div"), dot = document.createElement("i");
      dot.style.background = one.colour;
      row.append(dot, one.name + " " + one.at[3]);
      tip.append(row);
      mark.append(make("circle", {cx: one.at[0], cy: one.at[1], r: 3.2, fill: one.colour}));
    }
    chart.append(mark);
    frame.append(tip);
    const left = at / scale + 12, wide = tip.offsetWidth;
    tip.style.left = Math.max(0, left + wide > place.width ? left - wide - 24 : left) + "px";
    tip.style.top = place.top - frame.getBoundingClientRect().top + top / scale + "px";
  };
  chart.addEventListener("pointermove", show);
  chart.addEventListener("pointerdown", show);
  chart.addEventListener("pointerleave", hide);
}
document.addEventListener("click", (event) => {
  const place = event.target.closest(".copy");
  // without a clipboard a click selects the place whole all the same
  if (place) navigator.clipboard?.writeText(place.textContent).then(() => {
    place.classList.add("copied");
    setTimeout(() => place.classList.remove("copied"), 900);
  }, () => {});
});
"""
