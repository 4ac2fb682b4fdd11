// The panel. It knows nothing but traits, decides nothing, and says only which button was pressed,
// and at which moment one looked. Scrubbing, stepping and playing happen here.

const PATIENCE_MS = 4000; // then a click without an answer is said to have none
const CATCH_UP_MS = 900; // so long, at the most, the eyes need to where the run has come
const SPEEDS = [0.25, 0.5, 1, 4, 16, 64];
const GONE = "The kernel is gone, and nothing was done: start it, and run the cell again.";
const SILENT = "The kernel has not answered. If it is busy, wait for it; if it is gone, run the cell again.";

async function copy(value, label) {
  try {
    await navigator.clipboard.writeText(value);
  } catch { // where the page may not
    const area = document.createElement("textarea");
    area.value = value;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = label.textContent;
  label.textContent = "Copied";
  setTimeout(() => { label.textContent = before; }, 1200);
}

function renderPanel({ model, el, book }) {
  const get = (name) => model.get(name);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const root = document.createElement("div");
  root.className = "statelab sl-panel";
  const asked = new Map(); // what was drawn of each request
  // Where one looks: `weight` is the place in what is played. `moves` is "", "play" or "follow".
  const eye = { run: 0, seen: null, row: 0, time: 0, weight: 0, length: 0, moves: "", speed: 1, keep: true };
  let [clicks, patience, frame, looked, silent, width] = [get("handled"), 0, 0, 0, "", 0];
  const run = () => book.runs.get(eye.run);
  const last = () => run().count - 1;
  const isPast = () => get("level") > 0 && eye.moves !== "follow" && eye.row < last();

  function act(...doing) {
    clicks += 1;
    root.ariaBusy = "true";
    clearTimeout(patience);
    const here = get("level") > 1 && get("mode") === "simulated" && isPast() && (doing[0] in VERBS || doing[0] in LINK_VERBS || doing[0] === "action");
    try {
      model.send({ do: doing, n: clicks, ...(here ? { at_us: Math.round(eye.time), keep: eye.keep } : {}) });
    } catch {
      silent = GONE;
      return draw();
    }
    patience = setTimeout(() => { silent = SILENT; draw(); }, PATIENCE_MS);
  }

  // ---------------------------------------------------------------- where one looks
  function seekRow(row) {
    const { rows, weight, now, length } = run();
    eye.row = Math.max(0, Math.min(last(), row));
    [eye.time, eye.weight] = row > last() ? [now, length] : [rows.time[eye.row], weight[eye.row]];
    draw();
  }
  // Looks where `values` (the times of the rows, or their weights) come to `wanted`.
  function seek(values, end, wanted) {
    const { rows, weight, now, length } = run();
    eye.row = Math.max(0, place(values, wanted));
    const [from, to] = [values[eye.row], values[eye.row + 1] ?? end];
    const part = to > from ? Math.min(1, Math.max(0, (wanted - from) / (to - from))) : 1;
    eye.time = rows.time[eye.row] + part * ((rows.time[eye.row + 1] ?? now) - rows.time[eye.row]);
    eye.weight = weight[eye.row] + part * ((weight[eye.row + 1] ?? length) - weight[eye.row]);
    draw();
  }
  function stop() {
    cancelAnimationFrame(frame);
    eye.moves = "";
  }
  function move(how) {
    stop();
    eye.moves = how;
    let [before, hurry] = [0, 1];
    const tick = (now) => {
      const { weight, length } = run();
      if (how === "follow") hurry = Math.max(hurry, (length - eye.weight) / CATCH_UP_MS);
      const wanted = eye.weight + (before ? now - before : 0) * (how === "follow" ? hurry : eye.speed);
      before = now;
      if (wanted >= length) { stop(); seekRow(Infinity); return; }
      frame = requestAnimationFrame(tick);
      seek(weight, length, wanted);
    };
    frame = requestAnimationFrame(tick);
  }
  // Lets the eyes come after what has happened; what was pressed shows at once.
  function follow(from) {
    if (calm.matches || get("gate") !== "") { stop(); seekRow(Infinity); return; }
    eye.row = Math.min(from + 1, last());
    eye.weight = Math.max(eye.weight, run().weight[eye.row]);
    move("follow");
    seek(run().weight, run().length, eye.weight);
  }
  const jump = (row) => { stop(); seekRow(row); };

  // ---------------------------------------------------------------- parts
  function header() {
    const [code, live] = [get("code"), get("mode") === "live"];
    const open = () => { const input = root.querySelector(".sl-paste"); if (input.value.trim()) act("open", input.value); };
    return h("header.header", {}, h("h3.title", {}, get("title")),
      get("modes").length > 1 && segments("world", get("modes").map((mode) => [mode, mode[0].toUpperCase() + mode.slice(1)]), get("mode"), (mode) => act("world", mode)),
      h("span.space", { key: "space" }),
      !live && [h("input.paste", { key: "paste", type: "text", placeholder: "paste a run code", "aria-label": "a run code to open",
        spellcheck: "false", onkeydown: (event) => { if (event.key === "Enter") open(); } }), button("Open", "", open, { key: "open" })],
      code && [h("code.code", { key: "code" }, `${code.slice(0, 12)}…`),
        button("Copy run code", "copy", (event) => copy(code, event.currentTarget.lastChild), { key: "copy" })]);
  }

  // What is said under the stage: what has just happened, or that one looks at the past.
  function foot(now) {
    const here = get("level") > 1 && get("mode") === "simulated";
    const words = here ? "what you press begins another run here. Later inputs" : get("mode") === "live"
      ? "a live world cannot be branched: what you press happens now." : "what you press happens at the end.";
    const looks = isPast() && !eye.moves;
    return h("div.foot", { key: "foot" }, get("level") === 0 && h("span.time", { key: "now" }, now),
      looks ? [h("span.past", { key: "past" }, `You look at ${now}: ${words}`),
        here && segments("later inputs", [[true, "stay"], [false, "are left out"]], eye.keep, (keep) => { eye.keep = keep; draw(); })]
        : h("span.news", { key: "news", "aria-live": "polite" }, get("news")),
      h("span.space", { key: "space" }),
      get("mode") !== "live" && button("Wait", "wait", () => act("wait"), { key: "wait", title: "let time pass" }),
      button("Start over", "again", () => act("again"), { key: "again", title: "begin the run anew" }));
  }

  function side(shown, count, nodes) {
    const { mark, said, text } = get("verdict");
    const places = get("level") ? book.where(run(), eye.row, nodes) : [];
    const section = (name, ...inside) => h("section.section", { key: name }, h("h4.heading", {}, name), inside);
    return h("aside.side", { "aria-label": "what came of it" },
      (said || text) && section("You predicted", said && h("p.said", { key: "said" }, said), text && judged(mark, text)),
      get("lights").length > 0 && section("Invariants", h("ul.lights", {}, get("lights").map(({ sentence, row, text: when }) => {
        const broken = row >= 0 && row <= eye.row;
        return h("li.light", { key: sentence, is: broken ? "is-wrong" : "is-right" }, icon(broken ? "dead" : "check"),
          h("span.muted", {}, sentence, when && h("button.moment", { type: "button", onclick: () => jump(row) }, when)));
      }))),
      section("Requests", count ? h("ol.requests", { key: "list", tabindex: "0", "aria-label": "requests, the latest first" }, shown.map((one) =>
        memo(asked, `${eye.run} ${one.n}`, one.word, () => h("li.request", { key: one.n, title: `${one.client}: ${one.what} to ${one.to}: ${one.word}` },
          h("span.when", {}, `${(one.time / 1e6).toFixed(2)} s`), h("b", {}, one.client), h("span.what", {}, `${one.what} → ${one.to}`), outcome(one)))))
        : h("p.muted", { key: "none" }, get("actions").length ? "nothing yet: press a button of a client" : "nothing yet"),
      count > shown.length && h("p.muted", { key: "earlier" }, `and ${count - shown.length} earlier`)),
      places.length > 0 && section("Where state lives now", h("dl.where", {}, places.map(([name, at]) =>
        h("div.place", { key: name, is: at.length ? "" : "nowhere" }, h("dt", {}, name), h("dd", {}, at.join(", ") || "nowhere"))))));
  }

  const timeline = makeTimeline((time) => { stop(); seek(run().rows.time, run().now, time); }, (steps) => jump(eye.row + steps));
  function others() {
    const [all, now] = [get("runs"), get("runs").find((one) => one.number === eye.run) ?? {}];
    const child = [...all].reverse().find((one) => one.parent === eye.run);
    const parting = now.parent ? now.parting : child?.parting ?? null;
    return { all, other: book.runs.get(now.parent ?? child?.number), parting };
  }
  function times(now, says) {
    const { all, other, parting } = others();
    const count = `event ${eye.row + 1} of ${run().count}`;
    const step = (label, name, steps) => button("", name, () => jump(eye.row + steps), { key: name, title: label, "aria-label": label });
    const on = eye.moves === "play";
    const play = () => { if (on) { stop(); draw(); } else { if (eye.weight >= run().length) seekRow(0); move("play"); } };
    return h("section.times", { key: "times", "aria-label": "time" },
      all.length > 1 && h("div.branches", { key: "runs" }, h("span.muted", {}, "Runs"),
        segments("runs", all.map((one) => [one.number, one.label]), eye.run, (number) => act("run", number)),
        parting !== null && button("Where they part", "", () => jump(parting), { key: "part" })),
      timeline(book, run(), other, parting, width, { time: eye.time, row: eye.row, said: `${now}, ${count}: ${says}` }),
      h("div.steps", { key: "steps" }, step("to the start", "first", -Infinity), step("one event back", "left", -1),
        button(on ? "Pause" : "Play", on ? "paused" : "play", play, { key: "play" }), step("one event on", "right", 1), step("to the end", "last", Infinity),
        h("select.speed", { key: "speed", "aria-label": "speed", onchange: (event) => { eye.speed = Number(event.target.value); } },
          SPEEDS.map((value) => h("option", { value, selected: value === 1 }, `× ${value}`))),
        h("span.time", { key: "time" }, now), h("span.muted", { key: "count" }, count), h("span.happens", { key: "says", title: says }, says)));
  }

  // What was pressed last is the last line.
  function showLatestLine() {
    const box = root.querySelector(".sl-python");
    if (!box || box.slShown === get("python")) return;
    box.slShown = get("python");
    box.scrollTop = box.scrollHeight;
  }

  function draw() {
    const gate = get("gate");
    const error = silent || get("error");
    const parts = [header(), h("div.error", { key: "error", role: "alert", hidden: !error }, error)];
    if (gate) {
      parts.push(h("div.gate", { key: "gate" }, h("p", {}, h("b", {}, "Predict first, or skip: "), gate), button("Skip the prediction", "", () => act("skip"))));
    } else if (run()) {
      const [now, level] = [`${(eye.time / 1e6).toFixed(3)} s`, get("level")];
      const nodes = book.nodes(run(), eye.row);
      const [shown, count] = book.requests(run(), eye.row, 40);
      stage.draw({ nodes, level, latest: shown, actions: get("actions"), links: book.links(run(), eye.row), flights: book.flights(run(), eye.row),
        time: eye.time / 1e6, weight: eye.weight, pids: get("pids") });
      parts.push(h("div.body", { key: "body" }, h("div.main", {}, h("div.hold", { key: "stage" }), foot(now)), side(shown, count, nodes)),
      level > 0 && times(now, book.texts[run().rows.says[eye.row]] ?? ""),
      h("footer.log", { key: "log" }, h("div.run", {}, h("div.heading", {}, "This run as Python"),
        h("pre.python", { tabindex: "0", "aria-label": "this run as Python" }, get("python"))),
      button("Copy as Python", "copy", (event) => copy(get("python"), event.currentTarget.lastChild), { key: "copy" })));
    }
    patch(root, h("div", {}, parts).children); // without what is not shown at this level
    showLatestLine();
    const hold = root.querySelector(".sl-hold");
    if (hold && stage.root.parentNode !== hold) hold.append(stage.root);
    for (const [name, value] of [["role", "group"], ["aria-label", get("title")], ["data-level", get("level")], ["data-mode", get("mode")], ["data-lm-suppress-shortcuts", true]]) root.setAttribute(name, value);
  }
  const stage = makeStage(act, draw);

  // ---------------------------------------------------------------- news of the kernel
  function changed() {
    clicks = Math.max(clicks, get("handled"));
    root.ariaBusy = String(get("handled") < clicks);
    if (get("handled") === clicks) clearTimeout(patience);
    silent = "";
    const [number, { row, n }] = [get("run"), get("look")];
    const atEnd = eye.moves === "follow" || eye.weight >= eye.length - 1;
    const [before, same] = [eye.row, number === eye.run];
    const now = get("runs").find((one) => one.number === number);
    const from = same ? before : now?.parent === eye.run && now.parting !== null ? now.parting - 1 : null;
    if (!book.runs.has(number)) return;
    const news = run() !== book.runs.get(number) || eye.seen !== run();
    [eye.run, eye.seen, eye.length] = [number, book.runs.get(number), book.runs.get(number).length];
    if (!same) eye.weight = run().weight[Math.max(from, 0)] ?? 0;
    if (n === looked) { // it has grown by itself, or only time has gone on
      if (atEnd && (news || !eye.moves)) return news ? follow(before) : seekRow(Infinity);
      return draw();
    }
    looked = n;
    if (row >= 0 || from === null) jump(row >= 0 ? row : Infinity);
    else follow(Math.max(from, 0));
  }
  model.on("change", changed);
  el.append(root);
  changed();
  const watcher = new ResizeObserver(() => {
    // The static picture is for who has no kernel: an output of its own, before the panel's.
    for (const picture of root.closest(".jp-OutputArea")?.querySelectorAll("img[alt^='Lab panel']") ?? []) {
      picture.closest(".jp-OutputArea-child").style.display = "none";
    }
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    draw();
  });
  watcher.observe(root);
  return () => {
    stop();
    clearTimeout(patience);
    model.off("change", changed);
    stage.stop();
    watcher.disconnect();
  };
}

// One library for each model, whatever its views: a chunk comes once, and before the views hear.
export default () => {
  const book = library();
  return {
    initialize({ model }) {
      const take = () => {
        if (model.get("chunk")?.byteLength && !book.take(model.get("chunk"))) model.send({ need: true });
      };
      model.on("change:chunk", take);
      take();
      return () => model.off("change:chunk", take);
    },
    render: ({ model, el }) => renderPanel({ model, el, book }),
  };
};
