// The time line: a lane for each client and node, the other branch beneath, and a cursor to drag.

const LANE = 22, TOP = 24;
const SHORTEST = 500_000; // µs: the time that is shown before there is any
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity };
// What is marked on a lane, as paths in a square of 8 px.
const MARKED = { kill: "M5 0L1 5H4L3 8L7 3H4Z", reconnect: "M1 4H7M4 1L7 4L4 7", lost: "M1 1L7 7M7 1L1 7",
  twice: "M1 2H7M1 6H7", expired: "M1 0H7L1 8H7Z", write: "M3 0H5V8H3Z", refused: "M1 1L7 7M7 1L1 7",
  taken: "M1 8V0L7 2.5L1 5" };

// Seconds as one reads them: 2.0 s, 2.25 s; with all three digits where another moment looks the same.
function clock(us, ...others) {
  const [short, long] = [2, 3].map((digits) => (us / 1e6).toFixed(digits));
  const alike = others.some((other) => other !== us && (other / 1e6).toFixed(2) === short);
  return t("{0} s", alike ? long : short.replace(/0$/, ""));
}

// The lanes of a run in the order in which they stand: subjects with something to show.
function lanes(book, run) {
  const used = new Set(run.bars.lane);
  return book.subjects.map((one, lane) => ({ ...one, lane }))
    .filter(({ lane, name, lives }) => used.has(lane) || (name && !lives))
    .sort((one, other) => one.rank - other.rank);
}

// The bars of a run, and their words; what would be narrower than a pixel is drawn once for each pixel.
// A ghost is what the other branch has been since they parted, at `since`.
function bars(book, run, places, x, width, ghost, since = 0) {
  const { at, lane: lanes, kind: kinds, what } = run.bars;
  const [made, words, drawn, next] = [[], [], {}, {}]; // by what is in a lane: where the one after it begins
  for (let n = at.length - 1; n >= 0; n -= 1) {
    const lane = places.get(lanes[n]);
    const ended = run.end[n];
    const end = run.ends.time[ended] ?? run.now;
    if (lane === undefined || end < since) continue;
    const kind = book.texts[kinds[n]];
    const [life, request, soft] = [kind === "up" || kind === "paused", kind === "request", kind === "soft"];
    const mark = request ? book.texts[run.ends.mark[ended]] ?? "wait" : kind;
    const left = x(Math.max(run.rows.time[at[n]], since));
    const right = Math.max(x(end), left + (life ? 1 : 7));
    const [place, row] = [`${lane} ${mark}`, `${lane} ${soft}`];
    const room = Math.min(soft ? right : width, next[row] ?? width);
    next[row] = left;
    const over = drawn[place];
    if (left + 1 >= over?.left && right - 1 <= over.right) continue;
    drawn[place] = { left, right };
    const y = TOP + lane * LANE; // no transform: of thousands, each frame would take ten times as long
    const [down, height] = ghost ? [19, 2] : soft ? [7, 13] : life ? [3, 3] : [4, 11];
    const [text, said] = [book.texts[what[n]], book.texts[run.ends.word[ended]] ?? ""];
    made.push(h("rect.bar", { is: `bar-${ghost ? "ghost" : mark}`, x: left, y: y + down, rx: Math.min(height / 3, 3),
      width: right - left, height }, h("title", request ? `${text}: ${said || t("waiting")}` : text || kind)));
    // A word stands after its bar, where nothing else is; a holder's name in its own time.
    const word = ghost ? "" : soft || mark === "fault" ? text : mark === "fail" ? brief(said) : "";
    const from = soft ? left + 4 : right + 4;
    if (!word || from + 8 + 6.5 * word.length > room) continue;
    words.push(h("text.tag", { is: soft ? "soft-tag" : "bad", x: from, y: y + (soft ? 18 : 14) }, word));
  }
  return [made.reverse(), words];
}

// What happened at one moment; where marks of a kind would meet, one stands for them.
function marks(book, run, places, x) {
  const { lane: lanes, kind, mark, time, what, word, bar } = run.events;
  const [last, { texts }] = [{}, book];
  return [...lanes.keys()].map((n) => {
    const name = texts[kind[n]] === "request" && bar[n] < 0 ? "refused" : texts[kind[n]];
    const [lane, at] = [places.get(lanes[n]), x(time[n])];
    if (lane === undefined || !MARKED[name] || at - last[`${lane} ${name}`] < 8) return null;
    last[`${lane} ${name}`] = at;
    return h("path.mark", { is: [`mark-${name}`, `mark-${texts[mark[n]]}`], d: MARKED[name],
      transform: `translate(${at - 4} ${TOP + lane * LANE + 1})` },
    h("title", `${book.subjects[lanes[n]].name} ${texts[what[n]]} ${texts[word[n]]}`));
  });
}

function ticks(end, x, width) {
  const rough = end / Math.max(2, Math.floor(width / 112));
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((many) => many * unit >= rough);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, n) => {
    const at = x(n * step);
    return [h("path.tick", { d: `M${at} 18V${TOP - 2}` }),
      h("text.tag", { x: at, y: 13, "text-anchor": !n ? "start" : at > width - 24 ? "end" : "middle" },
        clock(n * step))];
  });
}

function drawn(book, run, other, parting, field, breaches) {
  const rows = lanes(book, run);
  const end = Math.max(run.now, other?.now ?? 0, SHORTEST);
  const x = (at) => Math.round(10 * (8 + (at / end) * (field - 16))) / 10; // as the middle of the slider's thumb
  const height = TOP + rows.length * LANE + 4;
  const places = new Map(rows.map((one, n) => [one.lane, n]));
  const since = run.time[parting] ?? run.now;
  const svg = h("svg.bars", { "aria-hidden": "true", height }, ticks(end, x, field),
    parting >= 0 && h("path.parting", { d: `M${x(since)} ${TOP - 4}V${height}` }),
    other && bars(book, other, places, x, field, true, since), bars(book, run, places, x, field, false),
    marks(book, run, places, x), breaches.map(({ row, sentence }) =>
      h("path.breach", { d: `M${x(run.time[row])} ${TOP - 6}V${height}` }, h("title", t("no longer true: “{0}”", sentence)))));
  return { rows, end, x, svg };
}

// `beside` is the branch that is shown beneath, and `parting` the row at which they part.
function timeline(drawings, book, run, { beside, parting }, width, { time, breaches, said, onstep, onseek }) {
  const field = Math.max(width - Math.min(104, width / 4) - 32, 100); // what the style leaves
  const other = book.runs.get(beside);
  const mark = [run.now, field, beside, other?.count, parting, book.subjects.length,
    ...breaches.map((one) => one.row)].join();
  const { rows, end, x, svg } = memo(drawings, run, mark, () => drawn(book, run, other, parting, field, breaches));
  const seek = (how) => ({ target }) => onseek(Number(target.value), how);
  const step = (event) => {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    onstep(STEPS[event.key]);
  };
  return h("div.timeline", { key: "timeline" },
    h("div.lanes", rows.map(({ lane: key, label: title }) => h("div.lane", { key, title }, title))),
    h("div.course", svg, h("div.cursor", { style: `transform:translateX(${x(time)}px)` }),
      h("input.field", { type: "range", max: end, value: String(Math.round(time)), oninput: seek("drag"),
        onchange: seek(""), onkeydown: step, "aria-label": t("the moment to look at"), "aria-valuetext": said })));
}
