// The stage: a card for each node and client, links between them, and what travels on the links.

const VERBS = { kill: ["dead", "Kill"], restart: ["again", "Restart"], pause: ["paused", "Pause"], resume: ["play", "Resume"] };
const LINK_VERBS = { // [what it is called, when it applies]
  partition: ["Cut", (link) => !link.cut], heal: ["Heal", (link) => link.cut], hold: ["Hold", (link) => !link.held],
  release: ["Release", (link) => link.held], lose_next: ["Lose the next to ", () => true],
};
const APPLY = { up: ["kill", "pause"], paused: ["kill", "resume"], dead: ["restart"], client: [] };
const COLUMNS = { clients: "clients", balancers: "in between", servers: "servers", stores: "stores" };
const FLIGHT = 420; // ms: what waits or is lost on its way has come so far by then

function outcome({ mark, word }) {
  return h("span.outcome", { is: mark }, icon({ ok: "check", fail: "dead", wait: "dots" }[mark]), h("span", {}, word));
}

// ------------------------------------------------------------------ cards
// A line of memory or disk; `seen` tells whether it has just changed.
function line(l, time, seen) {
  const was = seen.get(l.id);
  if (was?.text !== l.text) seen.set(l.id, { text: l.text, is: was ? "changed" : "" });
  const left = Math.max(0, l.until - time);
  const share = Math.min(1, left / Math.max(l.until - l.since, 1e-6));
  return h("div.line", { key: l.field, title: l.full, is: `${l.flags & FLAGS.token ? "token" : ""} ${l.until && !left ? "expired" : ""}` },
    h("span.key", {}, `${l.label} = `), h("span.value", { key: l.text, is: seen.get(l.id).is }, l.text),
    l.until > 0 && h("span.soft", {}, h("span.meter", {}, h("i", { style: `width:${(100 * share).toFixed(1)}%` })),
      h("span.left", {}, left ? `${left.toFixed(1)} s` : "expired")));
}

// Made anew only when something on it has changed, or runs out.
function card(node, view, act) {
  const shown = [...node.memory, ...node.disk];
  const last = view.latest.find((one) => one.client === node.name);
  const mark = [node.status, node.life, node.caption, view.level, view.pids[node.name], last?.n, last?.word,
    shown.some((l) => l.until) && view.time, ...shown.map((l) => l.field + l.text)].join("\n");
  return memo(view.cards, node.name, mark, () => madeCard(node, view, act, last));
}

function madeCard(node, view, act, last) {
  const { level, time, pids, seen } = view;
  const verbs = APPLY[node.status].filter((verb) => level > 0 || verb === "kill" || verb === "restart");
  const kept = level > 0 ? node.memory : node.memory.filter((l) => !(l.flags & FLAGS.port));
  return h("article.card", { key: node.name, "data-node": node.name, "data-status": node.status,
    "aria-label": [node.name, node.role, ...(node.lives ? [node.status] : [])].join(", ") },
  h("div.head", {}, h("h4.name", {}, node.name), pids[node.name] && h("span.caption", {}, `pid ${pids[node.name]}`),
    h("span.status", { key: "status", is: `is-${node.status}`, title: node.died },
      node.lives && [icon(node.status), h("span", {}, node.status)], node.life && h("span.muted", {}, node.life))),
  h("div.memory", { key: "memory", is: node.status === "dead" ? "lost" : "" }, h("div.caption", {}, node.caption),
    kept.length ? kept.map((l) => line(l, time, seen)) : h("div.line.empty", { key: "empty" }, "empty")),
  node.disk.length > 0 && h("div.disk", { key: "disk" }, h("div.caption", {}, "disk"), node.disk.map((l) => line(l, time, seen))),
  h("div.buttons", { key: "buttons" },
    verbs.map((verb) => button(VERBS[verb][1], VERBS[verb][0], (event) => {
      if (event.detail < 2) act(verb, node.name); // not the second of a double click
    }, { key: verb, "data-verb": verb, "aria-label": `${VERBS[verb][1]} ${node.name}` })),
    view.actions.map((a, n) => a.client === node.name && button(a.label, "", () => act("action", n),
      { key: n, title: a.line, "data-action": a.label, "aria-label": `${node.name}: ${a.label}` }))),
  !node.lives && h("div.last", { key: "last" }, last && [outcome(last), h("span.answer", { key: `${last.n} ${last.word}`, title: last.answer }, last.answer)]));
}

// ------------------------------------------------------------------ links and messages
// A curve between two cards, as four points.
function curve(a, b, origin) {
  const [ya, yb] = [a, b].map((box) => box.top + 24 - origin.top);
  if (a.left <= b.right && b.left <= a.right) { // in one column: around its right side
    const x = Math.max(a.right, b.right) - origin.left;
    const out = Math.min(x + 32, origin.width - 16);
    return [[a.right - origin.left, ya], [out, ya], [out, yb], [b.right - origin.left, yb]];
  }
  const [xa, xb] = a.right < b.left ? [a.right, b.left] : [a.left, b.right];
  const middle = (xa + xb) / 2 - origin.left;
  return [[xa - origin.left, ya], [middle, ya], [middle, yb], [xb - origin.left, yb]];
}

function on([p, q, r, t], part) {
  const u = 1 - part;
  return [0, 1].map((i) => u ** 3 * p[i] + 3 * u * u * part * q[i] + 3 * u * part * part * r[i] + part ** 3 * t[i]);
}

function makeStage(act, changed) {
  const root = document.createElement("section");
  root.className = "sl-stage";
  root.ariaLabel = "nodes";
  const [curves, seen, cards, watched] = [new Map(), new Map(), new Map(), new WeakSet()];
  let [view, menu] = [null, null]; // menu: the two names of the link that it is open on
  const named = (a, b) => `${a}\t${b}`;

  function chip(link) {
    const open = menu === named(link.a, link.b);
    const [x, y] = on(curves.get(named(link.a, link.b)), 0.5);
    const both = [[link.a, link.b], [link.b, link.a]];
    const offers = Object.entries(LINK_VERBS).filter(([, [, applies]]) => applies(link))
      .flatMap(([verb, [label]]) => (verb === "lose_next" ? both : both.slice(0, 1)).map((pair) => [verb, label + (verb === "lose_next" ? pair[1] : ""), pair]));
    const toggle = (to) => { menu = to; changed(); };
    return h("div.link", { key: named(link.a, link.b), style: `left:${x.toFixed(1)}px;top:${y.toFixed(1)}px`,
      onkeydown: (event) => { if (event.key === "Escape" && open) { toggle(null); event.currentTarget.firstChild.focus(); } } },
    h("button.chip", { type: "button", is: link.fault ? "faulty" : "", "aria-expanded": String(open),
      "aria-label": `link ${link.a} – ${link.b}: ${link.fault || (link.open ? "open" : "no connection")}`,
      onclick: () => toggle(open ? null : named(link.a, link.b)) }, icon("dots"), link.fault),
    open && h("div.menu", { role: "group", "aria-label": `the link of ${link.a} and ${link.b}` }, offers.map(([verb, label, pair]) =>
      button(label, "", () => { menu = null; act(verb, ...pair); changed(); }, { key: label }))));
  }

  function message(flight) {
    const whole = Math.max(1, Math.min(flight.due - flight.left, FLIGHT));
    const part = Math.min(1, (view.weight - flight.left) / whole);
    const [x, y] = on(curves.get(named(flight.from, flight.to)), 0.12 + 0.76 * part);
    return h("g.message", { key: flight.n, is: `to-${flight.mark}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
      flight.lost || flight.mark === "fail" ? h("path", { key: "x", d: "M-4 -4L4 4M4 -4L-4 4" }) : h("circle", { key: "o", r: 5 }),
      h("text", { key: "t", y: -10, "text-anchor": "middle" }, flight.lost ? `${flight.label} · lost` : flight.label));
  }

  // Where the cards are now; whether that is news.
  function measure() {
    const origin = root.getBoundingClientRect();
    const boxes = Object.fromEntries([...root.querySelectorAll("[data-node]")].map((one) => [one.dataset.node, one.getBoundingClientRect()]));
    const before = JSON.stringify([...curves]);
    curves.clear();
    for (const { a, b } of view.links) {
      if (!boxes[a] || !boxes[b]) continue;
      const points = curve(boxes[a], boxes[b], origin);
      curves.set(named(a, b), points).set(named(b, a), [...points].reverse());
    }
    return JSON.stringify([...curves]) !== before;
  }

  function draw(next) {
    view = { ...(next ?? view), seen, cards };
    const known = view.links.filter((link) => curves.has(named(link.a, link.b)));
    const columns = Object.keys(COLUMNS).map((name) => [name, view.nodes.filter((node) => node.column === name)]).filter(([, all]) => all.length);
    const most = Math.max(...columns.map(([, all]) => all.length));
    patch(root, [
      h("svg.links", { "aria-hidden": "true" }, known.map((link) => h("path.link-line", { key: named(link.a, link.b),
        is: `${link.open ? "open" : ""} ${link.cut ? "cut" : ""}`, d: curves.get(named(link.a, link.b)).map((p, n) => ["M", "C", "", ""][n] + p.join(" ")).join(" ") }))),
      h("div.columns", { "data-columns": columns.length, "data-many": most > 3 }, columns.map(([name, all]) =>
        h("div.column", { key: name, role: "group", "aria-label": COLUMNS[name], is: all.length === most ? "full" : "" },
          h("div.heading", {}, COLUMNS[name]), h("div.cards", {}, all.map((node) => card(node, view, act)))))),
      h("div.chips", {}, known.filter((link) => view.level > 1 || link.fault).map(chip)),
      h("svg.links.air", { "aria-hidden": "true" }, view.flights.filter((f) => curves.has(named(f.from, f.to))).map(message)),
    ]);
    for (const one of root.querySelectorAll("[data-node]")) if (!watched.has(one)) { watched.add(one); watcher.observe(one); }
    if (known.length < view.links.length && measure()) draw();
  }

  const watcher = new ResizeObserver(() => { if (view && root.checkVisibility() && measure()) draw(); });
  watcher.observe(root);
  return { root, draw, stop: () => watcher.disconnect() };
}
