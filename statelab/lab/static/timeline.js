// The time line: a lane for each client and node, the other branch beneath, and a cursor to drag.

const LANE = 24, TOP = 24;
const SHORTEST = 500_000; // µs: the time that is shown before there is any
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10,
  Home: -Infinity, End: Infinity };

// The lanes of a run in the order in which they stand: subjects with something to show.
function lanes(book, run) {
  const used = new Set(run.bars.lane);
  const rank = (one) => (one.a ? 9 : Object.keys(COLUMNS).indexOf(one.column));
  return book.subjects.map((one, number) => ({ ...one, number, label: one.name ?? `${one.a} – ${one.b}` }))
    .filter((one) => used.has(one.number) || (one.column === "clients" && !one.lives))
    .sort((one, other) => rank(one) - rank(other));
}

// The bars of a run; those that would be narrower than a pixel are drawn once for each pixel.
// A ghost is what the other branch has been since they parted, at `since`.
function bars(book, run, places, x, width, ghost, since = 0) {
  const [made, words] = [[], []];
  const [drawn, free] = [{}, {}]; // by lane: where a mark's last bar ends, where a word may begin
  const [next, follows] = [[], {}]; // where the bar after each one in its lane begins
  for (let n = run.bars.at.length - 1; n >= 0; n -= 1) {
    next[n] = follows[run.bars.lane[n]] ?? width;
    follows[run.bars.lane[n]] = x(run.rows.time[run.bars.at[n]]);
  }
  for (let n = 0; n < run.bars.at.length; n += 1) {
    const lane = places.get(run.bars.lane[n]);
    if (lane === undefined) continue;
    const bar = book.bar(run, n);
    const end = bar.end ?? run.now;
    if (end < since) continue;
    const [life, request] = [bar.kind === "up" || bar.kind === "paused", bar.kind === "request"];
    const mark = life ? bar.kind : request ? bar.mark : "fault";
    const [left, y] = [x(Math.max(bar.time, since)), TOP + lane * LANE];
    const right = Math.max(x(end), left + (life ? 1 : 7));
    if (right - 1 <= drawn[`${lane} ${mark}`]) continue;
    drawn[`${lane} ${mark}`] = right;
    const [down, height] = ghost ? [18, 2] : life ? [8, 4] : [5, 10];
    made.push(h("rect.bar", { is: `bar-${ghost ? "ghost" : mark}`, x: left, y: y + down, rx: height / 3,
      width: right - left, height },
    h("title", request ? `${bar.what} → ${bar.to}: ${bar.word}` : bar.word || bar.kind)));
    if (ghost) continue;
    if (life && bar.mark === "fail") made.push(h("path.cross", { d: `M${right - 4} ${y + 6}l8 8m0 -8l-8 8` }));
    const word = mark === "fault" ? bar.what : mark === "fail" ? `✕ ${bar.word.match(/^\d+|.*/)[0]}` : "";
    const space = 12 + 7.5 * word.length;
    if (!word || right <= (free[lane] ?? -1) || right + space >= width) continue;
    // Where the next bar would cover the word, it stands within its own, if that is long enough.
    const within = right + space > next[n] && right - left > space;
    words.push(h("text.tag.bad", { x: right + (within ? -4 : 4), y: y + 14,
      "text-anchor": within ? "end" : "start" }, word));
    free[lane] = within ? right : right + space;
  }
  return [...made, ...words];
}

function ticks(end, x, width) {
  const rough = end / Math.max(2, Math.floor(width / 112));
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((many) => many * unit >= rough);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, n) => {
    const at = x(n * step);
    return [h("path.tick", { d: `M${at} 18V${TOP - 2}` }),
      h("text.tag", { x: at, y: 13, "text-anchor": !n ? "start" : at > width - 24 ? "end" : "middle" },
        `${Number((n * step / 1e6).toPrecision(6))} s`)];
  });
}

function makeTimeline(onseek, onstep) {
  const drawings = new WeakMap();
  let drawing = null;
  const seek = ({ currentTarget, clientX }) => {
    const box = currentTarget.getBoundingClientRect();
    onseek(((clientX - box.left - 8) / Math.max(box.width - 16, 1)) * drawing.end);
  };
  const handlers = {
    onpointerdown: (event) => { event.currentTarget.setPointerCapture(event.pointerId); seek(event); },
    onpointermove: (event) => { if (event.buttons & 1) seek(event); },
    onkeydown: (event) => {
      if (event.key in STEPS) { event.preventDefault(); onstep(STEPS[event.key]); }
    },
  };

  function drawn(book, run, other, parting, field) {
    const rows = lanes(book, run);
    const end = Math.max(run.now, other?.now ?? 0, SHORTEST);
    const x = (at) => Math.round(10 * (8 + (at / end) * (field - 16))) / 10;
    const height = TOP + rows.length * LANE + 4;
    const places = new Map(rows.map((one, n) => [one.number, n]));
    const since = run.time[parting] ?? run.now;
    const svg = h("svg.bars", { "aria-hidden": "true", height }, ticks(end, x, field),
      parting !== null && h("path.parting", { d: `M${x(since)} ${TOP - 4}V${height}` }),
      other && bars(book, other, places, x, field, true, since), bars(book, run, places, x, field, false));
    return { rows, end, x, svg };
  }

  // `other` is the branch that is shown beneath, and `parting` the row at which they part.
  return (book, run, other, parting, width, { time, row, said }) => {
    const field = Math.max(width - Math.min(104, width / 4) - 34, 100); // what the style leaves
    const mark = [run.now, field, other?.number, other?.count, parting, book.subjects.length].join();
    drawing = memo(drawings, run, mark, () => drawn(book, run, other, parting, field));
    return h("div.timeline", { key: "timeline" },
      h("div.lanes", drawing.rows.map(({ number: key, label: title }) =>
        h("div.lane", { key, title }, title))),
      h("div.field", { role: "slider", tabindex: "0", "aria-label": "the moment to look at", ...handlers,
        "aria-valuemin": 0, "aria-valuemax": run.count - 1, "aria-valuenow": row, "aria-valuetext": said },
      drawing.svg, h("div.cursor", { style: `transform:translateX(${drawing.x(time)}px)` })));
  };
}
