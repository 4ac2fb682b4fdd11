// The panel. It knows nothing but traits, decides nothing, and says only which button was pressed,
// and at which moment one looked. Scrubbing, stepping and playing happen here.

const CATCH_UP_MS = 900; // so long, at the most, the eyes need to where the run has come
const MOST = 24; // entries of the list
const MOMENT = 20_000; // µs
const SPEEDS = [0.25, 0.5, 1, 4, 16, 64];
const GONE = () => t("The kernel is gone, and nothing was done: start it, and run the cell again.");
const SILENT = () => t("The kernel has not answered. If it is busy, wait for it; if it is gone, run the cell again.");
const section = (name, ...inside) => h("section.section", h("h4.heading", name), inside);

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

const { hubPrefix, baseUrl } = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");

// The address that opens a run, at a row: this page's own, without what is only this reader's. On a
// hub each reader has a server of their own, and one address that leads each to theirs.
// The browser edition's own does not name the notebook that is open.
function addressOf(root, code, row) {
  const { origin, pathname: own } = location;
  const all = hubPrefix ? own.replace(encodeURI(decodeURI(baseUrl)), `${hubPrefix}user-redirect/`) : own;
  const pathname = all.replace(/workspaces\/[^/]+\//, "");
  const tabs = pathname.endsWith(".ipynb") ? [] : globalThis.jupyterapp?.shell.widgets("main") ?? [];
  const path = [...tabs].find(({ node }) => node.contains(root))?.context?.path;
  return `${origin}${pathname}${path ? `?path=${encodeURIComponent(path)}` : ""}#run=${code}&at=${row}`;
}

function renderPanel({ model, el, book }) {
  const traits = traitsOf(model);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const root = viewIn(el, "panel", traits.title);
  const [asked, drawings] = [new Map(), new WeakMap()]; // what was drawn of each request, and run
  // Where one looks: `weight` is the place in what is played. `how` is "", or as `look` has it.
  const eye = { run: null, row: 0, time: 0, weight: 0, atEnd: true, how: "", speed: 1, keep: true };
  let [clicks, frame, looked, gone] = [traits.handled, 0, 0, ""];
  const waits = () => traits.handled < clicks; // for the kernel; the style says so after a while
  const isPast = () => traits.level > 0 && eye.how !== "follow" && eye.row < eye.run.count - 1;
  const branches = () => traits.level > 1 && traits.mode === "simulated";
  const about = (number) => traits.runs.find((one) => one.number === number) ?? {};

  function tell(doing, here) {
    try { model.send({ do: doing, n: clicks, ...here }); } catch { gone = GONE(); }
  }
  function act(...doing) {
    clicks += 1;
    const back = eye.run && branches() && isPast() && eye.how !== "glance";
    tell(doing, back && { at_us: Math.round(eye.time), keep: eye.keep });
    draw();
  }

  // Looks at a place in what is played, and how: it plays, follows, is dragged, or at a glance.
  function look(wanted, how = "") {
    const { time, weight, count, length } = eye.run;
    cancelAnimationFrame(frame);
    eye.how = how;
    eye.weight = between(0, length, wanted);
    eye.row = between(0, count - 1, place(weight, eye.weight));
    eye.time = across(weight, time, eye.weight);
    eye.atEnd = eye.weight >= length - 1;
    draw();
  }
  // Looks at a row; beyond the last one is the end.
  const jump = (row, how) => look(eye.run.weight[Math.max(row, 0)] ?? Infinity, how);
  function move(how, from = eye.weight) {
    const hurry = Math.max(1, (eye.run.length - from) / CATCH_UP_MS);
    let before = 0;
    const tick = (now) => {
      const wanted = before ? eye.weight + (now - before) * (how === "follow" ? hurry : eye.speed) : from;
      before = now;
      if (wanted >= eye.run.length) return look(Infinity);
      look(wanted, how);
      frame = requestAnimationFrame(tick);
    };
    tick(0);
  }
  // Lets the eyes come after what has happened; what was pressed shows at once.
  const follow = (from) => calm.matches || traits.gate ? look(Infinity)
    : move("follow", Math.max(eye.weight, eye.run.weight[from + 1] ?? eye.run.length));

  function header(latest, now) {
    const { title, gate, level, mode, modes, error } = traits;
    const names = { simulated: t("Simulated"), live: t("Live") };
    return [h("header.header", h("h3.title", title), h("span.space"), !gate && [
      modes.length > 1 && choice(t("world"), modes.map((one) => [one, names[one]]), mode, (one) => act("world", one)),
      level > 0 && mode !== "live" && button(t("Wait"), "later", () => act("wait"), { title: t("let time pass") }),
      button(t("Start over"), "again", () => act("again"), { title: t("begin the run anew") })]),
    h("div.error", { role: "alert", is: !gone && waits() && "late" }, gone || (waits() ? SILENT() : error)),
    latest && strip(loudest(latest), now, latest.find(({ kind }) => kind === "breach"))];
  }

  // What has happened, the latest first; that a rule breaks has happened, too.
  function happened({ run, row, time }) {
    const broken = traits.lights.filter((one) => one.row >= 0 && one.row <= row).map((one) => ({ key: one.sentence,
      kind: "breach", mark: "fail", time: run.time[one.row], who: "", what: t("no longer true: “{0}”", one.sentence), word: "",
      by: book.texts[run.rows.says[one.row]] }));
    const all = [...broken, ...book.happened(run, row, time, MOST)];
    all.sort((one, other) => (other.mark === "wait") - (one.mark === "wait") || other.time - one.time);
    return all.filter(({ kind }) => traits.level > 0 || kind !== "reconnect");
  }

  // Of what has happened in one moment: what is not as it should be, then what is, then what came first.
  function loudest(latest) {
    const rank = ({ mark, kind }) => (kind === "breach" ? 4 : mark === "fail" ? 3 : mark === "ok" ? 2 : kind === "request" ? 0 : 1);
    const ended = latest.filter(({ mark }) => mark !== "wait");
    const moment = ended.filter(({ time }) => ended[0].time - time < MOMENT).reverse();
    return moment.sort((one, other) => rank(other) - rank(one))[0] ?? latest[0];
  }

  // The loudest line: what has happened last, and what is broken; or that one looks at the past.
  function strip(last, now, broken) {
    const branching = branches() && eye.how !== "glance";
    const words = branching ? t("what you press begins another run here. Later inputs") : traits.mode === "live"
      ? t("a live world cannot be branched: what you press happens now.") : t("what you press happens at the end.");
    const beside = broken && (last === broken ? h("span.answer", { title: broken.by }, broken.by)
      : h("span.did", { is: ["marked-fail", "icon-breach"] }, t("not true since {0}: “{1}”", clock(broken.time), broken.key)));
    const is = last && !(broken && last.mark === "ok") && `last-${last.mark}`; // no green beside what is broken
    return h("div.foot", { "aria-live": "polite", is }, isPast() && eye.how !== "play"
      ? [h("span.past", t("You look at {0}: {1}", now, words)),
        branching && choice(t("later inputs"), [[true, t("stay")], [false, t("are left out")]],
          eye.keep, (keep) => { eye.keep = keep; draw(); })]
      : last ? [happening(last, [last.time]), beside] : h("span.muted", t("Nothing has happened yet.")));
  }

  const happening = ({ time, kind, who, what, word, answer, mark, count }, times) => [
    h("span.when", clock(time, ...times)), h("b.who", who),
    kind === "request" ? [h("span.what", what), outcome({ mark, word: count > 1 ? `${word} × ${count}` : word }),
      answer && h("span.answer", { title: answer }, answer)]
      : h("span.did", { is: [`marked-${mark}`, `icon-${kind}`] }, what)];

  const entry = (one, times) => {
    const others = times.filter((time) => Math.abs(time - one.time) < 10_000 && time !== one.time);
    return memo(asked, `${eye.run.number} ${one.key}`, [one.word, one.count, others.length > 0].join(), () =>
      h(`li.${one.kind === "request" ? "request" : "event"}`, { key: one.key, is: `marked-${one.mark}`,
        title: `${one.who}: ${one.what} ${one.word}` }, happening(one, others)));
  };

  function light({ sentence, row, text }) {
    const is = row >= 0 && row <= eye.row ? ["is-wrong", "icon-dead"] : ["is-right", "icon-check"];
    return h("li.light", { is }, h("span", sentence,
      text && h("button.moment", { type: "button", onclick: () => jump(row) }, text)));
  }

  function side(latest, where) {
    const { lights, level, runs, verdict } = traits;
    const [times, { parting }] = [latest.map((one) => one.time), about(eye.run.number)];
    return h("aside.side", { "aria-label": t("what came of it") }, h("div.inside",
      (verdict.said || verdict.text) && section(verdict.said ? t("Your prediction") : t("The outcome"), compared(verdict)),
      lights.length > 0 && section(t("Invariants"), h("ul.lights", lights.map(light))),
      runs.length > 1 && section(t("Runs"), h("div.branches",
        choice(t("runs"), runs.map((one) => [one.number, one.label]), eye.run.number, (one) => act("run", one)),
        parting >= 0 && button(t("Where they part"), "", () => jump(parting, "glance")))),
      h("section.section.happened", h("h4.heading", t("What happened, the latest first")),
        h("ol.requests", { tabindex: "0", "aria-label": t("what happened, the latest first") },
          latest.length ? latest.map((one) => entry(one, times)) : h("li.muted", t("Nothing has happened yet.")))),
      level > 0 && where.length > 0 && section(t("Where state lives now"), h("dl.where", { tabindex: "0" },
        where.map(({ label, text }) => h("div.place", { key: label, is: !text && "nowhere" },
          h("dt", label), h("dd", text || t("nowhere"))))))));
  }

  function times(now, says) {
    const { run, row, time, how } = eye;
    const count = t("event {0} of {1}", Math.min(row + 1, run.count), run.count);
    const step = (title, icon, to) => button("", icon, () => jump(to), { title, "aria-label": title });
    const play = () => move("play", eye.weight < run.length ? eye.weight : 0);
    const breaches = traits.lights.filter((one) => one.row >= 0);
    return h("section.times", { "aria-label": t("time") },
      timeline(drawings, book, run, about(run.number), stage.width(), {
        time, breaches, said: `${now}, ${count}: ${says}`, onstep: (steps) => jump(row + steps),
        onseek: (us, way) => look(across(run.time, run.weight, us), way) }),
      h("div.steps", step(t("to the start"), "first", 0), step(t("one event back"), "left", row - 1),
        how === "play" ? button(t("Pause"), "paused", () => look(eye.weight)) : button(t("Play"), "play", play),
        step(t("one event on"), "right", row + 1), step(t("to the end"), "last", Infinity),
        h("select.speed", { "aria-label": t("speed"), onchange: ({ target }) => { eye.speed = Number(target.value); } },
          SPEEDS.map((value) => h("option", { value: String(value), selected: value === 1 }, `× ${value}`))),
        h("span.time", now), h("span.muted.count", count), h("span.happens", { title: says }, says)));
  }

  // The run as text, both ways; folded, for it is needed once in a while.
  function texts() {
    const { python, code, mode } = traits;
    const open = () => act("open", root.querySelector(".sl-paste").value);
    const copied = (label, box) => [box, button(label, "copy", copy)];
    return h("details.log", h("summary", t("This run as Python, and as a run code to share")), h("div.texts",
      copied(t("Copy as Python"), h("pre.python", { tabindex: "0", "aria-label": t("this run as Python") }, python)),
      code && [copied(t("Copy run code"), h("code.code", code)),
        copied(t("Copy link"), h("code.code", addressOf(root, code, eye.row)))],
      mode !== "live" && [h("input.paste", { "aria-label": t("a run code to open"), placeholder: t("paste a run code"),
        spellcheck: "false", onkeydown: ({ key }) => { if (key === "Enter") open(); } }),
      button(t("Open"), "", open)]));
  }

  function draw() {
    const { run, row, time, weight } = eye;
    const { gate, level, actions, pids } = traits;
    root.ariaBusy = String(waits());
    root.classList.toggle("sl-moving", ["play", "drag"].includes(eye.how));
    if (gate) return patch(root, trees([header(), gated(gate, t("Skip the prediction"), () => act("skip"))]));
    if (!run) return;
    const now = clock(time, run.time[row], run.time[row - 1], run.time[row + 1]);
    const latest = happened(eye);
    const { where, ...there } = book.stand(run, row);
    const view = { ...there, flights: book.flights(run, row), latest, time: time / 1e6, weight, level, actions, pids,
      drags: eye.how === "drag" };
    patch(root, trees([header(latest, now), h("div.body", h("div.main", stage.tree(view),
      level > 0 && times(now, book.texts[run.rows.says[row]] ?? "")), side(latest, where)), texts()]));
    root.querySelector(".sl-columns").querySelectorAll(".sl-card").forEach((card) => watcher.observe(card));
    if (stage.lacks()) measure();
  }
  const stage = makeStage(act);
  function measure() {
    const shown = root.querySelector(".sl-stage");
    if (shown?.checkVisibility() && stage.measure(shown)) draw();
  }

  function changed() {
    const { handled, run, look: { row, n } } = traits;
    clicks = Math.max(clicks, handled);
    gone = "";
    const [before, next, follows] = [eye.run, book.runs.get(run), eye.how === "follow" || eye.atEnd];
    if (!next) return;
    const { parent, parting } = about(run);
    const same = before?.number === run;
    const from = same ? eye.row : parent === before?.number && parting >= 0 ? parting - 1 : Infinity;
    const told = n !== looked; // where to look; or it has grown by itself
    [eye.run, looked] = [next, n];
    if (!same) eye.weight = next.weight[from] ?? 0;
    if (told && row >= 0) jump(row);
    else if (told || follows) follow(from);
    else draw();
  }
  // The static picture is for who has no kernel: an output of its own, before the panel's. (A style
  // with :has would find it, too, and cost a third of each step: all that changes here is asked.)
  const watcher = new ResizeObserver(() => {
    const picture = root.closest(".jp-OutputArea-child")?.previousElementSibling;
    if (picture) picture.style.display = "none";
    measure();
  });
  watcher.observe(root);
  const leave = heard(model, "change", changed);
  // No hand has pressed this: while the other cells still run, nobody need hear that it takes time.
  if (SHARED.has("run")) tell(["shared", SHARED.get("run"), Number(SHARED.get("at")) || 0]);
  return () => {
    cancelAnimationFrame(frame);
    leave();
    watcher.disconnect();
  };
}

// One library for each model, whatever its views: a chunk comes once, and before the views hear.
export default () => {
  const book = library();
  return {
    initialize: ({ model }) => {
      kept({ model });
      return heard(model, "change:chunk", () => {
        if (model.get("chunk").runs && !book.take(model.get("chunk"))) model.send({ need: true });
      });
    },
    render: ({ model, el }) => renderPanel({ model, el, book }),
  };
};
