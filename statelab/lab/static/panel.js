// The panel. It knows nothing but traits, decides nothing, and says only which button was pressed,
// and at which moment one looked. Scrubbing, stepping and playing happen here.

const PATIENCE_MS = 4000; // then a click without an answer is said to have none
const CATCH_UP_MS = 900; // so long, at the most, the eyes need to where the run has come
const MOST = 24; // entries of the list
const MOMENT = 20_000; // µs
const SPEEDS = [0.25, 0.5, 1, 4, 16, 64];
const GONE = () => t("The kernel is gone, and nothing was done: start it, and run the cell again.");
const SILENT = () => t("The kernel has not answered. If it is busy, wait for it; if it is gone, run the cell again.");

const SHAPES = { kill: "kill", start: "again", pause: "paused", resume: "play", lost: "dead", reconnect: "right" };
const NOTHING = () => t("Nothing has happened yet.");

const section = (name, ...inside) => h("section.section", { key: name }, h("h4.heading", name), inside);

// Copies what the element before the button shows, all of it. Unlike the clipboard's own interface,
// this may be done on every page.
function copy({ currentTarget: pressed }) {
  const selection = getSelection();
  selection.selectAllChildren(pressed.previousSibling);
  document.execCommand("copy");
  selection.removeAllRanges();
  pressed.textContent = t("Copied");
  setTimeout(() => { pressed.textContent = pressed.slTree.props.text; }, 1200);
}

// The run that this page's address names. JupyterLab soon drops it from there; here it stays. What
// stands behind the # is sent to no server.
const SHARED = new URLSearchParams(new URL(performance.getEntriesByType("navigation")[0]?.name
  ?? location.href).hash.slice(1));

// The address that opens a run, at a row: this page's own, without what is only this reader's.
function addressOf(code, row) {
  const path = new URLSearchParams(location.search).get("path");
  return `${location.origin}${location.pathname}${path ? `?path=${path}` : ""}#run=${code}&at=${row}`;
}

function renderPanel({ model, el, book }) {
  const traits = new Proxy({}, { get: (_, name) => model.get(name) });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const root = viewIn(el, "panel", traits.title);
  const asked = new Map(); // what was drawn of each request
  // Where one looks: `weight` is the place in what is played. `moves` is "", "play" or "follow".
  const eye = { run: null, row: 0, time: 0, weight: 0, atEnd: true, moves: "", speed: 1, keep: true,
    glance: false, drags: false };
  let [clicks, patience, frame, looked, silent] = [traits.handled, 0, 0, 0, ""];
  const isPast = () => traits.level > 0 && eye.moves !== "follow" && eye.row < eye.run.count - 1;
  const branches = () => traits.level > 1 && traits.mode === "simulated";

  function tell(doing, here) {
    try { model.send({ do: doing, n: clicks, ...here }); } catch { silent = GONE(); }
  }
  function act(...doing) {
    clicks += 1;
    clearTimeout(patience);
    tell(doing, eye.run && branches() && isPast() && !eye.glance && { at_us: Math.round(eye.time), keep: eye.keep });
    if (!silent) patience = setTimeout(() => { silent = SILENT(); draw(); }, PATIENCE_MS);
    draw();
  }

  // Looks at a row, or so far beyond it on the way to the next.
  function look(row, beyond = row < eye.run.count ? 0 : 1) {
    const { time, weight, count, length } = eye.run;
    const at = (eye.row = between(0, count - 1, row));
    eye.glance = false;
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
  const jump = (row) => { stop(); eye.drags = false; look(row); };
  function move(how) {
    stop();
    [eye.moves, eye.drags] = [how, false];
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

  function header(latest, now) {
    const { title, level, mode, modes } = traits;
    return [h("header.header", { key: "header" }, h("h3.title", title), h("span.space", { key: "space" }),
      modes.length > 1 && choice(t("world"), modes.map((one) => [one, one === "live" ? t("Live") : t("Simulated")]), mode, (one) => act("world", one)),
      level > 0 && mode !== "live" && button(t("Wait"), "wait", () => act("wait"), { key: "wait", title: t("let time pass") }),
      button(t("Start over"), "again", () => act("again"), { key: "again", title: t("begin the run anew") })),
    h("div.error", { key: "error", role: "alert" }, silent || traits.error), latest && strip(loudest(latest), now)];
  }

  // Of what has happened in one moment: what is not as it should be, then what is, then what came first.
  function loudest(latest) {
    const rank = ({ mark, kind }) => (mark === "fail" ? 3 : mark === "ok" ? 2 : kind === "request" ? 0 : 1);
    const [ended] = latest.filter((one) => one.mark !== "wait");
    if (!ended) return latest[0];
    const moment = latest.filter(({ mark, time }) => mark !== "wait" && ended.time - time < MOMENT);
    return moment.reduceRight((best, one) => (rank(one) > rank(best) ? one : best));
  }

  // The loudest line: what has happened last, or that one looks at the past.
  function strip(last, now) {
    const words = eye.glance ? t("what you press happens at the end.") : branches()
      ? t("what you press begins another run here. Later inputs") : traits.mode === "live"
        ? t("a live world cannot be branched: what you press happens now.") : t("what you press happens at the end.");
    const past = isPast() && !eye.moves;
    return h("div.foot", { key: "foot", "aria-live": "polite", is: last?.mark && `last-${last.mark}` },
      past && h("span.past", { key: "past" }, t("You look at {0}: {1}", now, words)),
      past && branches() && !eye.glance && choice(t("later inputs"), [[true, t("stay")], [false, t("are left out")]],
        eye.keep, (keep) => { eye.keep = keep; draw(); }),
      !past && (last ? happening(last, [last.time]) : h("span.muted", { key: "none" }, NOTHING())));
  }

  const happening = ({ key, time, kind, who, what, word, answer, mark, count }, times) => [
    h("span.when", { key: "when" }, clock(time, ...times)), h("b.who", { key: "who" }, who),
    kind === "request" ? [h("span.what", { key: "what" }, what), outcome({ mark, word: count > 1 ? `${word} × ${count}` : word }),
      answer && h("span.answer", { key: `${key} ${word}`, title: answer }, answer)]
      : h("span.did", { key: "did", is: [`marked-${mark}`, kind in SHAPES && `icon-${SHAPES[kind]}`] }, what)];

  const entry = (one, times) => {
    const others = times.filter((time) => Math.abs(time - one.time) < 10_000 && time !== one.time);
    return memo(asked, `${eye.run.number} ${one.key}`, [one.word, one.count, others.length > 0].join(), () =>
      h(`li.${one.kind === "request" ? "request" : "event"}`, { key: one.key, is: `marked-${one.mark}`,
        title: `${one.who}: ${one.what} ${one.word}` }, happening(one, others)));
  };

  function light({ sentence, row, text }) {
    const is = row >= 0 && row <= eye.row ? ["is-wrong", "icon-dead"] : ["is-right", "icon-check"];
    return h("li.light", { key: sentence, is }, h("span", sentence,
      text && h("button.moment", { type: "button", onclick: () => jump(row) }, text)));
  }

  function side(latest, where) {
    const { lights, level, runs, verdict: { mark, said, text, earlier } } = traits;
    const { parting } = parts();
    const times = latest.map((one) => one.time);
    return h("aside.side", { "aria-label": t("what came of it") }, h("div.inside",
      (said || text) && section(said ? t("Your prediction") : t("The outcome"), said && h("p.said", { key: "said" }, said),
        text && judged(mark, text), earlier && h("p.muted", { key: "earlier" }, t("Earlier: {0}", earlier))),
      lights.length > 0 && section(t("Invariants"), h("ul.lights", lights.map(light))),
      runs.length > 1 && section(t("Runs"), h("div.branches", choice(t("runs"), runs.map((one) => [one.number, one.label]),
        eye.run.number, (one) => act("run", one)), parting !== null && button(t("Where they part"), "",
        () => { jump(parting); eye.glance = true; draw(); }, { key: "part" }))),
      h("section.section.happened", { key: "happened" }, h("h4.heading", t("What happened, the latest first")),
        h("ol.requests", { key: "list", tabindex: "0", "aria-label": t("what happened, the latest first") },
          latest.length ? latest.map((one) => entry(one, times)) : h("li.muted", { key: "none" }, NOTHING()))),
      level > 0 && where.length > 0 && section(t("Where state lives now"), h("dl.where", { tabindex: "0" },
        where.map(({ label, text }) => h("div.place", { key: label, is: !text && "nowhere" },
          h("dt", label), h("dd", text || t("nowhere"))))))));
  }

  // The run that is beside the current one, and where they part.
  function parts() {
    const about = traits.runs.find((one) => one.number === eye.run.number) ?? {};
    const child = traits.runs.findLast((one) => one.parent === eye.run.number);
    return { other: book.runs.get(about.parent ?? child?.number),
      parting: about.parent ? about.parting : child?.parting ?? null };
  }

  function times(now, says) {
    const [{ run, row, time, moves }, { other, parting }] = [eye, parts()];
    const count = t("event {0} of {1}", Math.min(row + 1, run.count), run.count);
    const step = (title, icon, to) =>
      button("", icon, () => jump(to), { key: icon, title, "aria-label": title });
    const play = () => { if (eye.weight >= run.length) look(0); move("play"); };
    const breaches = traits.lights.filter((one) => one.row >= 0);
    return h("section.times", { key: "times", "aria-label": t("time") },
      timeline(book, run, other, parting, stage.width(), { time, row, breaches, said: `${now}, ${count}: ${says}` }),
      h("div.steps", { key: "steps" },
        step(t("to the start"), "first", 0), step(t("one event back"), "left", row - 1),
        moves === "play" ? button(t("Pause"), "paused", () => { stop(); draw(); }, { key: "play" })
          : button(t("Play"), "play", play, { key: "play" }),
        step(t("one event on"), "right", row + 1), step(t("to the end"), "last", Infinity),
        h("select.speed", { key: "speed", "aria-label": t("speed"),
          onchange: ({ target }) => { eye.speed = Number(target.value); } },
        SPEEDS.map((value) => h("option", { value: String(value), selected: value === 1 }, `× ${value}`))),
        h("span.time", { key: "time" }, now), h("span.muted", { key: "count" }, count),
        h("span.happens", { key: "says", title: says }, says)));
  }

  // The run as text, both ways; folded, for it is needed once in a while.
  function texts() {
    const { python, code, mode } = traits;
    const open = () => act("open", root.querySelector(".sl-paste").value);
    return h("details.log", { key: "log", ontoggle: showLatestLine },
      h("summary", t("This run as Python, and as a run code to share")), h("div.texts",
        h("pre.python", { key: "python", tabindex: "0", "aria-label": t("this run as Python") }, python),
        button(t("Copy as Python"), "copy", copy, { key: "copy" }),
        code && [h("code.code", { key: "code" }, code), button(t("Copy run code"), "copy", copy, { key: "copy-code" }),
          h("code.code", { key: "address" }, addressOf(code, eye.row)), button(t("Copy link"), "copy", copy, { key: "copy-link" })],
        mode !== "live" && [h("input.paste", { key: "paste", "aria-label": t("a run code to open"), placeholder:
          t("paste a run code"), spellcheck: "false", onkeydown: ({ key }) => { if (key === "Enter") open(); } }),
        button(t("Open"), "", open, { key: "open" })]));
  }

  // What was pressed last is the last line.
  function showLatestLine() {
    const box = root.querySelector(".sl-python");
    if (!box?.closest("[open]") || box.slShown === traits.python) return;
    box.slShown = traits.python;
    box.scrollTop = box.scrollHeight;
  }

  function draw() {
    const { run, row, time, weight } = eye;
    const { gate, level, actions, pids } = traits;
    root.ariaBusy = String(traits.handled < clicks);
    const drawn = [];
    if (gate) drawn.push(header(), gated(gate, t("Skip the prediction"), () => act("skip")));
    else if (run) {
      const now = clock(time, run.time[row], run.time[row - 1], run.time[row + 1]);
      const seen = book.stand(run, row);
      const latest = book.happened(run, row, time, MOST).filter((one) => level > 0 || one.kind !== "reconnect");
      Object.assign(seen, { flights: book.flights(run, row), latest, drags: eye.drags, time: time / 1e6, weight, level, actions, pids });
      drawn.push(header(latest, now), h("div.body", { key: "body" }, h("div.main", stage.tree(seen),
        level > 0 && times(now, book.texts[run.rows.says[row]] ?? "")), side(latest, seen.where)), texts());
    }
    patch(root, trees(drawn));
    showLatestLine();
    if (!gate && run && stage.settle(root.querySelector(".sl-stage"))) draw();
  }
  const stage = makeStage(act, draw);
  const timeline = makeTimeline((time, drags) => { stop(); eye.drags = drags; seek(eye.run.time, time); },
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
  // No hand has pressed this: while the other cells still run, nobody need hear that it takes time.
  if (SHARED.has("run")) tell(["shared", SHARED.get("run"), Number(SHARED.get("at")) || 0]);
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
      if (model.get("chunk").runs && !book.take(model.get("chunk"))) model.send({ need: true });
    }),
    render: ({ model, el }) => renderPanel({ model, el, book }),
  };
};
