// The drawing of a lab panel. It knows nothing but traits, decides nothing, and says only which
// button was pressed. DOM nodes are kept and changed in place, so that focus and place stay.

const ICONS = {
  up: "M6 2.2a3.8 3.8 0 1 0 0 7.6a3.8 3.8 0 1 0 0-7.6z",
  cross: "M2.5 2.5l7 7M9.5 2.5l-7 7",
  bars: "M4 2v8M8 2v8",
  dots: "M2 6h.01M6 6h.01M10 6h.01",
  again: "M9.6 4.2A4 4 0 1 0 10 6.6M10 1.8v2.6H7.4",
  play: "M3.5 2.2l6 3.8l-6 3.8z",
  check: "M2 6.5l2.7 2.7L10 3.4",
  copy: "M4.2 4.2h5.6v5.6H4.2zM2.2 7.6V2.2h5.4",
  hourglass: "M3 1.8h6M3 10.2h6M3.6 1.8c0 2.6 4.8 5.6 4.8 8.4M8.4 1.8c0 2.6-4.8 5.6-4.8 8.4",
};
const STATUS = { up: "up", paused: "bars", dead: "cross" };
const VERBS = {
  kill: ["cross", "Kill"], restart: ["again", "Restart"],
  pause: ["bars", "Pause"], resume: ["play", "Resume"],
};
const MARKS = { ok: "check", fail: "cross", wait: "dots" };
const COLUMNS = { clients: "clients", balancers: "in between", servers: "servers", stores: "stores" };
const PATIENCE_MS = 4000; // then a click without an answer is said to have none
const SVG = "http://www.w3.org/2000/svg";

// ------------------------------------------------------------------ small tools
function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.map((c) => `sl-${c}`).join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `sl-icon sl-icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function flash(node) {
  node.classList.remove("sl-changed");
  void node.offsetWidth; // so that the same animation begins anew
  node.classList.add("sl-changed");
}

// Makes the children of `parent` those of `items`, each kept by its key.
function sync(parent, items, key, make, update) {
  const kept = (parent.slKept ??= new Map());
  const wanted = new Map(items.map((item) => [String(key(item)), item]));
  for (const [name, node] of kept) {
    if (!wanted.has(name)) { node.remove(); kept.delete(name); }
  }
  let place = 0;
  for (const [name, item] of wanted) {
    let node = kept.get(name);
    if (!node) kept.set(name, (node = make(item)));
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
    update(node, item);
    place += 1;
  }
}

function button(label, name, onclick, title = "") {
  const node = h("button.button", { type: "button", onclick });
  if (name) node.append(icon(name));
  node.append(h("span", {}, label));
  if (title) { node.title = title; }
  return node;
}

async function copy(value, node, done = "Copied") {
  const label = node.querySelector("span");
  const before = (node.slLabel ??= label.textContent);
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    const area = h("textarea", { class: "sl-offscreen" });
    area.value = value;
    node.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    node.focus();
  }
  label.textContent = done;
  setTimeout(() => { label.textContent = before; }, 1200);
}

// ------------------------------------------------------------------ a node's card
function card(node, act) {
  const parts = {
    name: h("h4.name"), status: h("span.status"), lines: h("div.lines"), caption: h("div.caption"),
    pid: h("span.caption"), disk: h("div.lines"), last: h("div.last"), buttons: h("div.buttons"),
  };
  parts.memory = h("div.memory", {}, parts.caption, parts.lines);
  parts.diskbox = h("div.disk", {}, h("div.caption", {}, "disk"), parts.disk);
  const article = h("article.card", { "data-node": node.name },
    h("div.head", {}, parts.name, parts.pid, parts.status),
    parts.memory, parts.diskbox, parts.buttons, parts.last);
  article.slParts = parts;
  article.slVerbs = {};
  if (node.lives) {
    for (const [verb, [name, label]] of Object.entries(VERBS)) {
      const one = button(label, name, (event) => {
        if (event.detail < 2) act("fault", verb, node.name); // not the second of a double click
      });
      one.dataset.verb = verb;
      one.setAttribute("aria-label", `${label} ${node.name}`);
      article.slVerbs[verb] = one;
      parts.buttons.append(one);
    }
  }
  return article;
}

function lines(parent, items, whenEmpty) {
  const shown = items.length ? items : [{ name: "", text: whenEmpty, full: "", token: false }];
  sync(parent, shown, (line) => line.name, () => h("div.line", {}, h("span.key"), h("span.value")),
    (row, line) => {
      const [key, value] = row.children;
      text(key, line.name ? `${line.name} = ` : "");
      if (value.textContent !== line.text) {
        if (value.textContent) flash(row);
        value.textContent = line.text;
      }
      attribute(row, "title", line.full);
      row.classList.toggle("sl-token", line.token);
      row.classList.toggle("sl-empty", !line.name);
    });
}

function drawCard(article, node, buttons) {
  const p = article.slParts;
  attribute(article, "aria-label", node.label);
  attribute(article, "data-status", node.lives ? node.status : "client");
  text(p.name, node.name);
  text(p.pid, node.pid ? `pid ${node.pid}` : "");
  const word = node.lives ? node.status : "";
  if (p.status.dataset.word !== word + node.lifeword) {
    p.status.dataset.word = word + node.lifeword;
    p.status.replaceChildren(...(node.lives ? [icon(STATUS[node.status])] : []), h("span", {}, word),
      ...(node.lifeword ? [h("span.muted", {}, ` ${node.lifeword}`)] : []));
    p.status.className = `sl-status sl-is-${word || "client"}`;
  }
  p.status.title = node.died;
  text(p.caption, node.memory.caption);
  p.memory.classList.toggle("sl-lost", node.memory.lost);
  lines(p.lines, node.memory.lines, "empty");
  p.diskbox.hidden = !node.disk.length;
  lines(p.disk, node.disk, "");
  let moved = null;
  for (const [verb, one] of Object.entries(article.slVerbs)) {
    const shown = node.verbs.includes(verb);
    if (!shown && document.activeElement === one) moved = one;
    one.hidden = !shown;
  }
  if (moved) p.buttons.querySelector("button:not([hidden])")?.focus();
  if (!node.lives) {
    sync(p.buttons, buttons, (b) => b.place, (b) => {
      const one = button(b.label, "", b.press, b.line);
      one.setAttribute("aria-label", `${node.name}: ${b.label}`);
      one.dataset.action = b.label;
      return one;
    }, () => {});
    drawOutcome(p.last, node.last);
  }
  p.last.hidden = node.lives;
}

function drawOutcome(place, request) {
  const key = request ? `${request.id} ${request.word}` : "";
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  if (!request) { place.replaceChildren(); return; }
  place.replaceChildren(outcome(request), h("span.answer", { title: request.answer }, request.answer));
  flash(place);
}

function outcome(request) {
  return h(`span.outcome.${request.mark}`, {}, icon(MARKS[request.mark]), h("span", {}, request.word));
}

// ------------------------------------------------------------------ links between cards
function drawLinks(svg, stage, links) {
  const origin = stage.getBoundingClientRect();
  const cards = new Map([...stage.querySelectorAll("[data-node]")].map((c) => [c.dataset.node, c]));
  const drawn = [];
  for (const link of links) {
    const a = cards.get(link.from)?.getBoundingClientRect();
    const b = cards.get(link.to)?.getBoundingClientRect();
    if (!a || !b || b.left < a.right) continue;
    const [x1, x2] = [a.right - origin.left, b.left - origin.left];
    const [y1, y2] = [a.top + 28 - origin.top, b.top + 28 - origin.top];
    const middle = (x1 + x2) / 2;
    drawn.push({ ...link, d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` });
  }
  sync(svg, drawn, (l) => `${l.from}>${l.to}`, () => document.createElementNS(SVG, "path"),
    (path, link) => {
      attribute(path, "d", link.d);
      attribute(path, "class", link.open ? "sl-link sl-open" : "sl-link");
    });
}

// ------------------------------------------------------------------ the panel
function render({ model, el }) {
  const get = (name) => model.get(name);
  let clicks = get("handled");
  let patience = null;

  const act = (what, ...args) => {
    clicks += 1;
    const doing = what === "fault" ? args : [what, ...args];
    clearTimeout(patience);
    try {
      model.send({ do: doing, n: clicks });
    } catch {
      say("The kernel is gone, and nothing was done: start it, and run the cell again.");
      return;
    }
    patience = setTimeout(() => {
      say("The kernel has not answered. If it is busy, wait for it; if it is gone, run the cell again.");
    }, PATIENCE_MS);
  };

  const error = h("div.error", { role: "alert" });
  const say = (sentence) => { text(error, sentence); error.hidden = !sentence; };

  // ---- header
  const title = h("h3.title");
  const modes = h("div.segments", { role: "radiogroup", "aria-label": "world" });
  const code = h("code.code");
  const copyCode = button("Copy run code", "copy", () => copy(get("code"), copyCode));
  const header = h("header.header", {}, title, modes, h("span.space"), code, copyCode);

  // ---- stage
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "sl-links");
  svg.setAttribute("aria-hidden", "true");
  const columns = h("div.columns");
  const time = h("span.time");
  const news = h("span.news", { "aria-live": "polite" });
  const wait = button("Wait", "hourglass", () => act("wait"), "let time pass");
  wait.classList.add("sl-wait-button");
  const again = button("Start over", "again", () => act("again"), "begin the run anew");
  const stage = h("section.stage", { "aria-label": "nodes" }, svg, columns);
  const foot = h("div.foot", {}, time, news, h("span.space"), wait, again);

  // ---- side
  const said = h("p.said");
  const judged = h("p.judged", { "aria-live": "polite" });
  const predicted = h("section.section", {}, h("h4.heading", {}, "You predicted"), said, judged);
  const list = h("ol.requests", { tabindex: "0", "aria-label": "requests, the latest first" });
  const none = h("p.muted", {}, "nothing yet: press a button of a client");
  const earlier = h("p.muted");
  const outcomes = h("section.section", {}, h("h4.heading", {}, "Requests"), none, list, earlier);
  const places = h("dl.where");
  const where = h("section.section", {}, h("h4.heading", {}, "Where state lives now"), places);
  const side = h("aside.side", { "aria-label": "what came of it" }, predicted, outcomes, where);

  // ---- as Python
  const python = h("pre.python", { tabindex: "0", "aria-label": "this run as Python" });
  const copyPython = button("Copy as Python", "copy", () => copy(get("python"), copyPython));
  const log = h("footer.log", {},
    h("div.run", {}, h("div.heading", {}, "This run as Python"), python), copyPython);

  // ---- before the prediction
  const question = h("span", {});
  const skip = button("Skip the prediction", "", () => act("skip"));
  const gate = h("div.gate", {}, h("p", {}, h("b", {}, "Predict first, or skip: "), question), skip);

  const body = h("div.body", {}, h("div.main", {}, stage, foot), side);
  const root = h("div.panel", { role: "group" }, header, error, gate, body, log);
  root.classList.add("statelab");
  el.append(root);

  const drawGate = () => {
    const closed = get("gate") !== "";
    text(question, get("gate"));
    gate.hidden = !closed;
    for (const part of [body, log]) part.hidden = closed;
    if (!closed) drawState();
  };

  const drawHeader = () => {
    text(title, get("title"));
    attribute(root, "aria-label", get("title"));
    attribute(root, "data-level", String(get("level")));
    attribute(root, "data-mode", get("mode"));
    modes.hidden = get("modes").length < 2;
    sync(modes, get("modes"), (mode) => mode, (mode) => {
      const one = h("button.segment", { type: "button", role: "radio", onclick: () => act("world", mode) },
        mode[0].toUpperCase() + mode.slice(1));
      one.dataset.mode = mode;
      return one;
    }, (one, mode) => {
      attribute(one, "aria-checked", String(mode === get("mode")));
      attribute(one, "tabindex", mode === get("mode") ? "0" : "-1");
    });
  };
  modes.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...modes.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
    event.preventDefault();
  });

  const drawState = () => {
    if (get("gate") !== "") return;
    const state = get("state");
    const buttons = get("actions").map((a, place) =>
      ({ ...a, place, press: () => act("action", place) }));
    const most = Math.max(...state.columns.map((c) => c.nodes.length));
    attribute(columns, "data-columns", String(state.columns.length));
    sync(columns, state.columns, (c) => c.name,
      (c) => h("div.column", { role: "group", "aria-label": COLUMNS[c.name] },
        h("div.heading", {}, COLUMNS[c.name]), h("div.cards")),
      (column, c) => {
        column.classList.toggle("sl-full", c.nodes.length === most);
        sync(column.lastChild, c.nodes, (n) => n.name, (n) => card(n, act),
          (article, n) => drawCard(article, n, buttons.filter((b) => b.client === n.name)));
      });
    text(time, state.now);
    sync(list, state.requests, (r) => r.id, () => h("li.request"), drawRequest);
    none.hidden = state.requests.length > 0;
    earlier.hidden = state.earlier === 0;
    text(earlier, `and ${state.earlier} earlier`);
    where.hidden = state.where.length === 0;
    sync(places, state.where, (w) => w.name,
      () => h("div.place", {}, h("dt", {}), h("dd", {})),
      (row, w) => {
        text(row.children[0], w.name);
        text(row.children[1], w.places || "nowhere");
        row.classList.toggle("sl-nowhere", !w.places);
      });
    drawLinks(svg, stage, state.links);
  };

  const drawRequest = (row, request) => {
    const key = `${request.time} ${request.word}`;
    if (row.dataset.key === key) return;
    const fresh = row.dataset.key === undefined;
    row.dataset.key = key;
    attribute(row, "title", request.label);
    row.replaceChildren(
      h("span.when", {}, request.time), h("b", {}, request.client),
      h("span.what", {}, `${request.what} → ${request.to}`), outcome(request));
    if (fresh) flash(row);
  };

  const drawVerdict = () => {
    const verdict = get("verdict");
    predicted.hidden = !verdict.said && !verdict.text;
    text(said, verdict.said ?? "");
    judged.className = `sl-judged sl-is-${verdict.mark}`;
    if (judged.dataset.text === verdict.text) return;
    judged.dataset.text = verdict.text;
    const name = { right: "check", wrong: "cross" }[verdict.mark];
    judged.replaceChildren(...(name ? [icon(name)] : []), h("span", {}, verdict.text ?? ""));
  };

  const drawTexts = () => {
    text(news, get("news"));
    text(python, get("python"));
    python.scrollTop = python.scrollHeight;
    const run = get("code");
    text(code, run ? `${run.slice(0, 14)}…` : "");
    code.hidden = copyCode.hidden = !run;
  };

  const drawHandled = () => {
    clicks = Math.max(clicks, get("handled"));
    clearTimeout(patience);
    say(get("error"));
  };

  const draws = {
    "change:gate": drawGate, "change:state": drawState, "change:verdict": drawVerdict,
    "change:title change:level change:mode change:modes": drawHeader,
    "change:news change:python change:code": drawTexts,
    "change:handled change:error": drawHandled,
  };
  for (const [names, draw] of Object.entries(draws)) model.on(names, draw);
  drawHeader();
  drawVerdict();
  drawTexts();
  drawHandled();
  drawGate();

  const watcher = new ResizeObserver(() => {
    if (get("gate") === "") drawLinks(svg, stage, get("state").links);
  });
  watcher.observe(stage);
  return () => {
    for (const [names, draw] of Object.entries(draws)) model.off(names, draw);
    watcher.disconnect();
    clearTimeout(patience);
  };
}

export default { render };
