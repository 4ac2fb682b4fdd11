// The panel. It knows nothing but traits, decides nothing, and says only which button was pressed,
// and at which moment one looked. Scrubbing, stepping and playing happen here.

const PATIENCE_MS = 4000; // then a click without an answer is said to have none
const CATCH_UP_MS = 900; // so long, at the most, the eyes need to where the run has come
const SPEEDS = [0.25, 0.5, 1, 4, 16, 64];
const GONE = "The kernel is gone, and nothing was done: start it, and run the cell again.";
const SILENT = "The kernel has not answered. If it is busy, wait for it; if it is gone, run the cell again.";

const section = (name, ...inside) => h("section.section", { key: name }, h("h4.heading", name), inside);

// Copies what the element before the button shows, all of it. Unlike the clipboard's own interface,
// this may be done on every page.
function copy({ currentTarget: pressed }) {
  const selection = getSelection();
  selection.selectAllChildren(pressed.previousSibling);
  document.execCommand("copy");
  selection.removeAllRanges();
  pressed.textContent = "Copied";
  setTimeout(() => { pressed.textContent = pressed.slTree.props.text; }, 1200);
}

function renderPanel({ model, el, book }) {
  const traits = new Proxy({}, { get: (_, name) => model.get(name) });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const root = viewIn(el, "panel", traits.title);
  const asked = new Map(); // what was drawn of each request
  // Where one looks: `weight` is the place in what is played. `moves` is "", "play" or "follow".
  const eye = { run: null, row: 0, time: 0, weight: 0, atEnd: true, moves: "", speed: 1, keep: true };
  let [clicks, patience, frame, looked, silent] = [traits.handled, 0, 0, 0, ""];
  const isPast = () => traits.level > 0 && eye.moves !== "follow" && eye.row < eye.run.count - 1;
  const branches = () => traits.level > 1 && traits.mode === "simulated";

  function act(...doing) {
    clicks += 1;
    clearTimeout(patience);
    const here = eye.run && branches() && isPast() ? { at_us: Math.round(eye.time), keep: eye.keep } : {};
    try {
      model.send({ do: doing, n: clicks, ...here });
      patience = setTimeout(() => { silent = SILENT; draw(); }, PATIENCE_MS);
    } catch {
      silent = GONE;
    }
    draw();
  }

  // Looks at a row, or so far beyond it on the way to the next.
  function look(row, beyond = row < eye.run.count ? 0 : 1) {
    const { time, weight, count, length } = eye.run;
    const at = (eye.row = between(0, count - 1, row));
    [eye.time, eye.weight] = [time, weight].map((all) => all[at] + beyond * (all[at + 1] - all[at]));
    eye.atEnd = eye.weight >= length - 1;
    draw();
  }
  // Looks where `values` (the times of the rows, or their weights) come to `wanted`.
  function seek(values, wanted) {
    const row = between(0, eye.run.count - 1, place(values, wanted));
    const size = values[row + 1] - values[row];
    look(row, size > 0 ? between(0, 1, (wanted - values[row]) / size) : 1);
  }
  const stop = () => { cancelAnimationFrame(frame); eye.moves = ""; };
  const jump = (row) => { stop(); look(row); };
  function move(how) {
    stop();
    eye.moves = how;
    let [before, hurry] = [0, 1];
    const tick = (now) => {
      if (how === "follow") hurry = Math.max(hurry, (eye.run.length - eye.weight) / CATCH_UP_MS);
      const wanted = eye.weight + (before ? now - before : 0) * (how === "follow" ? hurry : eye.speed);
      before = now;
      if (wanted >= eye.run.length) return jump(Infinity);
      frame = requestAnimationFrame(tick);
      seek(eye.run.weight, wanted);
    };
    frame = requestAnimationFrame(tick);
  }
  // Lets the eyes come after what has happened; what was pressed shows at once.
  function follow(from) {
    if (calm.matches || traits.gate) return jump(Infinity);
    move("follow");
    seek(eye.run.weight, Math.max(eye.weight, eye.run.weight[between(0, eye.run.count - 1, from + 1)]));
  }

  function header() {
    const { title, code, mode, modes } = traits;
    const open = () => act("open", root.querySelector(".sl-paste").value);
    return h("header.header", { key: "header" }, h("h3.title", title), modes.length > 1 && choice("world",
      modes.map((one) => [one, capital(one)]), mode, (one) => act("world", one)),
    h("span.space", { key: "space" }),
    mode !== "live" && h("span.opens", { key: "open" }, h("input.paste", { "aria-label":
      "a run code to open", placeholder: "paste a run code", spellcheck: "false",
      onkeydown: ({ key }) => { if (key === "Enter") open(); } }), button("Open", "", open)),
    code && [h("code.code", { key: "code" }, code), button("Copy run code", "copy", copy, { key: "copy" })]);
  }

  // What is said under the stage: what has just happened, or that one looks at the past.
  function foot(now) {
    const { level, mode, news } = traits;
    const words = branches() ? "what you press begins another run here. Later inputs"
      : mode === "live" ? "a live world cannot be branched: what you press happens now."
        : "what you press happens at the end.";
    return h("div.foot", { key: "foot" }, level === 0 && h("span.time", { key: "now" }, now),
      isPast() && !eye.moves ? [h("span.past", { key: "past" }, `You look at ${now}: ${words}`),
        branches() && choice("later inputs", [[true, "stay"], [false, "are left out"]], eye.keep,
          (keep) => { eye.keep = keep; draw(); })]
        : h("span.news", { key: "news", "aria-live": "polite" }, news),
      h("span.space", { key: "space" }),
      mode !== "live" && button("Wait", "wait", () => act("wait"), { key: "wait", title: "let time pass" }),
      button("Start over", "again", () => act("again"), { key: "again", title: "begin the run anew" }));
  }

  function light({ sentence, row, text }) {
    const is = row >= 0 && row <= eye.row ? ["is-wrong", "icon-dead"] : ["is-right", "icon-check"];
    return h("li.light", { key: sentence, is }, h("span", sentence,
      text && h("button.moment", { type: "button", onclick: () => jump(row) }, text)));
  }

  const request = (one) => memo(asked, `${eye.run.number} ${one.n}`, one.word, () => h("li.request",
    { key: one.n, title: `${one.client}: ${one.what} to ${one.to}: ${one.word}` },
    h("span.when", `${(one.time / 1e6).toFixed(2)} s`), h("b.who", one.client),
    h("span.what", `${one.what} → ${one.to}`), outcome(one)));

  function side(shown, count, nodes) {
    const { lights, actions, level, verdict: { mark, said, text } } = traits;
    const places = level ? book.where(eye.run, eye.row, nodes) : [];
    const nothing = actions.length ? "nothing yet: press a button of a client" : "nothing yet";
    return h("aside.side", { "aria-label": "what came of it" },
      (said || text) && section("You predicted", said && h("p.said", { key: "said" }, said),
        text && judged(mark, text)),
      lights.length > 0 && section("Invariants", h("ul.lights", lights.map(light))),
      // As high as at the end of the run, or what stands below would jump as one looks back.
      section("Requests", h("ol.requests", { key: "list", tabindex: "0", "aria-label":
        "requests, the latest first", style: `--most:${eye.run.requests.length}` },
      count ? shown.map(request) : h("li.muted", { key: "none" }, nothing)),
      count > shown.length && h("p.muted", { key: "earlier" }, `and ${count - shown.length} earlier`)),
      places.length > 0 && section("Where state lives now", h("dl.where", places.map(([name, at]) =>
        h("div.place", { key: name, is: !at.length && "nowhere" },
          h("dt", name), h("dd", at.join(", ") || "nowhere"))))));
  }

  function times(now, says) {
    const [{ runs }, { run, row, time, moves }] = [traits, eye];
    const about = runs.find((one) => one.number === run.number) ?? {};
    const child = runs.findLast((one) => one.parent === run.number);
    const parting = about.parent ? about.parting : child?.parting ?? null;
    const count = `event ${Math.min(row + 1, run.count)} of ${run.count}`;
    const step = (title, icon, to) =>
      button("", icon, () => jump(to), { key: icon, title, "aria-label": title });
    const play = () => { if (eye.weight >= run.length) look(0); move("play"); };
    return h("section.times", { key: "times", "aria-label": "time" },
      runs.length > 1 && h("div.branches", { key: "runs" }, h("span.muted", "Runs"),
        choice("runs", runs.map((one) => [one.number, one.label]), run.number, (one) => act("run", one)),
        parting !== null && button("Where they part", "", () => jump(parting), { key: "part" })),
      timeline(book, run, book.runs.get(about.parent ?? child?.number), parting, stage.width(),
        { time, row, said: `${now}, ${count}: ${says}` }),
      h("div.steps", { key: "steps" },
        step("to the start", "first", 0), step("one event back", "left", row - 1),
        moves === "play" ? button("Pause", "paused", () => { stop(); draw(); }, { key: "play" })
          : button("Play", "play", play, { key: "play" }),
        step("one event on", "right", row + 1), step("to the end", "last", Infinity),
        h("select.speed", { key: "speed", "aria-label": "speed",
          onchange: ({ target }) => { eye.speed = Number(target.value); } },
        SPEEDS.map((value) => h("option", { value: String(value), selected: value === 1 }, `× ${value}`))),
        h("span.time", { key: "time" }, now), h("span.muted", { key: "count" }, count),
        h("span.happens", { key: "says", title: says }, says)));
  }

  // What was pressed last is the last line.
  function showLatestLine() {
    const box = root.querySelector(".sl-python");
    if (!box || box.slShown === traits.python) return;
    box.slShown = traits.python;
    box.scrollTop = box.scrollHeight;
  }

  function draw() {
    const { run, row, time, weight } = eye;
    const { gate, level, actions, pids, python } = traits;
    root.ariaBusy = String(traits.handled < clicks);
    const parts = [header(), h("div.error", { key: "error", role: "alert" }, silent || traits.error)];
    if (gate) parts.push(gated(gate, "Skip the prediction", () => act("skip")));
    else if (run) {
      const now = `${(time / 1e6).toFixed(3)} s`;
      const nodes = book.nodes(run, row);
      const [shown, count] = book.requests(run, row, 40);
      const [links, flights] = [book.links(run, row), book.flights(run, row)];
      const seen = { nodes, links, flights, latest: shown, time: time / 1e6, weight, level, actions, pids };
      parts.push(h("div.body", { key: "body" },
        h("div.main", stage.tree(seen), foot(now)), side(shown, count, nodes)),
      level > 0 && times(now, book.texts[run.rows.says[row]] ?? ""),
      h("footer.log", { key: "log" }, h("div.heading", "This run as Python"),
        h("pre.python", { key: "python", tabindex: "0", "aria-label": "this run as Python" }, python),
        button("Copy as Python", "copy", copy, { key: "copy" })));
    }
    patch(root, trees(parts));
    showLatestLine();
    if (!gate && run && stage.settle(root.querySelector(".sl-stage"))) draw();
  }
  const stage = makeStage(act, draw);
  const timeline = makeTimeline((time) => { stop(); seek(eye.run.time, time); },
    (steps) => jump(eye.row + steps));

  function changed() {
    const { handled, runs, run, look: { row, n } } = traits;
    clicks = Math.max(clicks, handled);
    if (handled === clicks) clearTimeout(patience);
    silent = "";
    const [before, next, follows] = [eye.run, book.runs.get(run), eye.moves === "follow" || eye.atEnd];
    if (!next) return;
    const about = runs.find((one) => one.number === run);
    const same = before?.number === run;
    const parted = before && about?.parent === before.number && about.parting !== null;
    const from = same ? eye.row : parted ? about.parting - 1 : null;
    eye.run = next;
    if (!same) eye.weight = next.weight[Math.max(from, 0)];
    if (n === looked) { // it has grown by itself, or only time has gone on
      if (follows && next !== before) follow(eye.row);
      else if (follows && !eye.moves) look(Infinity);
      else draw();
      return;
    }
    looked = n;
    if (row >= 0 || from === null) jump(row >= 0 ? row : Infinity);
    else follow(Math.max(from, 0));
  }
  const leave = heard(model, "change", changed);
  // The static picture is for who has no kernel: an output of its own, before the panel's.
  const placed = new ResizeObserver(() => {
    const pictures = root.closest(".jp-OutputArea")?.querySelectorAll("img[alt^='Lab panel']") ?? [];
    for (const one of pictures) one.closest(".jp-OutputArea-child").style.display = "none";
  });
  placed.observe(root);
  return () => {
    stop();
    clearTimeout(patience);
    leave();
    stage.stop();
    placed.disconnect();
  };
}

// One library for each model, whatever its views: a chunk comes once, and before the views hear.
export default () => {
  const book = library();
  return {
    initialize: ({ model }) => heard(model, "change:chunk", () => {
      if (model.get("chunk")?.byteLength && !book.take(model.get("chunk"))) model.send({ need: true });
    }),
    render: ({ model, el }) => renderPanel({ model, el, book }),
  };
};
