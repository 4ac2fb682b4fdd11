// The time line: a lane for each client and node, the other branch beneath, and a cursor to drag.

const LANE = 24, TOP = 24, LABELS = 104;
const SHORTEST = 500_000; // µs: the time that is shown before there is any

// The lanes of a run in the order in which they stand: subjects with something to show.
function lanes(book, run) {
  const used = new Set(run.bars.lane);
  const rank = (one) => (one.a ? 9 : Object.keys(COLUMNS).indexOf(one.column));
  return book.subjects.map((one, number) => ({ ...one, number, label: one.name ?? `${one.a} – ${one.b}` }))
    .filter((one) => used.has(one.number) || (one.column === "clients" && !one.lives)).sort((one, other) => rank(one) - rank(other));
}

// The bars of a run; those that would be narrower than a pixel are drawn once for each pixel.
// A ghost is what the other branch has been since they parted, at `since`.
function bars(book, run, rows, x, width, ghost, since = 0) {
  const [made, words] = [[], []];
  const [drawn, free] = [{}, {}]; // by lane: where the last bar of a mark ends, and where a word may begin
  const [next, follows] = [[], {}]; // where the bar after each one in its lane begins
  for (let n = run.bars.at.length - 1; n >= 0; n -= 1) {
    next[n] = follows[run.bars.lane[n]] ?? width;
    follows[run.bars.lane[n]] = x(run.rows.time[run.bars.at[n]]);
  }
  for (let n = 0; n < run.bars.at.length; n += 1) {
    const lane = rows.get(run.bars.lane[n]);
    if (lane === undefined) continue;
    const bar = book.bar(run, n);
    const life = bar.kind === "up" || bar.kind === "paused";
    const mark = life ? bar.kind : bar.kind === "request" ? bar.mark : "fault";
    if ((bar.end ?? run.now) < since) continue;
    const [left, y] = [x(Math.max(bar.time, since)), TOP + lane * LANE];
    const right = Math.max(x(bar.end ?? run.now), left + (life ? 1 : 7));
    if (right - 1 <= drawn[`${lane} ${mark}`]) continue;
    drawn[`${lane} ${mark}`] = right;
    const [down, high] = ghost ? [18, 2] : life ? [8, 4] : [5, 10];
    const about = bar.kind === "request" ? `${bar.what} → ${bar.to}: ${bar.word}` : bar.word || bar.kind;
    made.push(h("rect.bar", { is: ghost ? "bar-ghost" : `bar-${mark}`, x: left, y: y + down, width: right - left, height: high, rx: high / 3 },
      h("title", {}, about)));
    if (ghost) continue;
    if (life && bar.mark === "fail") made.push(h("path.cross", { d: `M${right - 4} ${y + 6}l8 8m0 -8l-8 8` }));
    const word = mark === "fault" ? bar.what : mark === "fail" ? `✕ ${bar.word.match(/^\d+|.*/)[0]}` : "";
    const space = 12 + 7.5 * word.length;
    if (word && right > (free[lane] ?? -1) && right + space < width) {
      // Where the next bar would cover the word, it stands within its own, if that is long enough.
      const within = right + space > next[n] && right - left > space;
      words.push(h("text.tag.bad", { x: right + (within ? -4 : 4), y: y + 14, "text-anchor": within ? "end" : "start" }, word));
      free[lane] = within ? right : right + space;
    }
  }
  return [...made, ...words];
}

function ticks(end, x, width) {
  const rough = end / Math.max(2, Math.floor(width / 112));
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((many) => many * unit >= rough);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, n) => [
    h("path.tick", { d: `M${x(n * step)} 18V${TOP - 2}` }),
    h("text.tag", { x: x(n * step), y: 13, "text-anchor": n ? (x(n * step) > width - 24 ? "end" : "middle") : "start" },
      `${Number((n * step / 1e6).toPrecision(6))} s`)]);
}

function makeTimeline(onseek, onstep) {
  let [svg, rows, known, x] = [null, [], "", null];
  const seek = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    onseek(((event.clientX - box.left - 8) / (box.width - 16)) * svg.end);
  };
  const onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    onstep(step);
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would walk from cell to cell
  };

  // `other` is the branch that is shown beneath, and `parting` the row at which they part.
  return (book, run, other, parting, width, { time, row, said }) => {
    const field = Math.max(width - LABELS - 34, 100); // what the style leaves of the panel
    const now = [run.count, run.now, field, other?.count, parting, book.subjects.length].join();
    if (!svg || svg.run !== run || known !== now) {
      rows = lanes(book, run);
      const height = TOP + rows.length * LANE + 4;
      const end = Math.max(run.now, other?.now ?? 0, SHORTEST);
      const places = new Map(rows.map((one, n) => [one.number, n]));
      x = (at) => Math.round(10 * (8 + (at / end) * (field - 16))) / 10;
      svg = h("svg.bars", { "aria-hidden": "true", height }, ticks(end, x, field),
        parting !== null && h("path.parting", { d: `M${x(run.rows.time[parting] ?? run.now)} ${TOP - 4}V${height}` }),
        other && bars(book, other, places, x, field, true, run.rows.time[parting] ?? run.now), bars(book, run, places, x, field, false));
      [svg.run, svg.end, known] = [run, end, now];
    }
    return h("div.timeline", { key: "timeline" },
      h("div.lanes", {}, rows.map((one) => h("div.lane", { key: one.number, title: one.label }, one.label))),
      h("div.field", { role: "slider", tabindex: "0", "aria-label": "the moment to look at", "aria-valuemin": 0,
        "aria-valuemax": run.count - 1, "aria-valuenow": row, "aria-valuetext": said, onkeydown,
        onpointerdown: (event) => { event.currentTarget.setPointerCapture(event.pointerId); seek(event); },
        onpointermove: (event) => { if (event.buttons & 1) seek(event); } },
      svg, h("div.cursor", { style: `transform:translateX(${x(time)}px)` })));
  };
}
