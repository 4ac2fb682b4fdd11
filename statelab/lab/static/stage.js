// The stage: a card for each node and client, links between them, and what travels on the links.

const VERBS = { kill: "dead", restart: "again", pause: "paused", resume: "play" }; // and their icons
const APPLY = { up: ["kill", "pause"], paused: ["kill", "resume"], dead: ["restart"], client: [] };
const COLUMNS = { clients: "clients", balancers: "in between", servers: "servers", stores: "stores" };
const FLIGHT = 420; // ms: what waits or is lost on its way has come so far by then
const SPOTS = [0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8, 0.1, 0.9, 0.05, 0.95]; // on a link, for its button
const CHIP = 26; // px: how high and wide such a button is, with a gap

const capital = (word) => word[0].toUpperCase() + word.slice(1);

const OUTCOMES = { ok: "check", fail: "dead", wait: "dots" };
const outcome = ({ mark, word }) => h("span.outcome", { is: [mark, `icon-${OUTCOMES[mark]}`] }, word);

// What can be done to a link: [its label, the verb, the two names].
const offers = ({ a, b, cut, held }) => [
  cut ? ["Heal", "heal", a, b] : ["Cut", "partition", a, b],
  held ? ["Release", "release", a, b] : ["Hold", "hold", a, b],
  [`Lose the next to ${b}`, "lose_next", a, b], [`Lose the next to ${a}`, "lose_next", b, a]];

// A curve between two cards, as four points.
function curve(a, b, origin) {
  const [ya, yb] = [a, b].map((box) => box.top + 24 - origin.top);
  if (a.left <= b.right && b.left <= a.right) { // in one column: around its right side
    const x = Math.max(a.right, b.right) - origin.left;
    const out = Math.min(x + 32, origin.width - 16);
    return [[a.right - origin.left, ya], [out, ya], [out, yb], [b.right - origin.left, yb]];
  }
  const [xa, xb] = (a.right < b.left ? [a.right, b.left] : [a.left, b.right])
    .map((x) => x - origin.left);
  const middle = (xa + xb) / 2;
  return [[xa, ya], [middle, ya], [middle, yb], [xb, yb]];
}

function on([p, q, r, t], part) {
  const u = 1 - part;
  const shares = [u ** 3, 3 * u * u * part, 3 * u * part * part, part ** 3];
  return [0, 1].map((i) => shares[0] * p[i] + shares[1] * q[i] + shares[2] * r[i] + shares[3] * t[i]);
}

// Whether a box in the middle of a place lies over none of the others.
const clear = (others, [x, y], wide, high) => others.every((one) =>
  Math.abs(one.x - x) >= (one.wide + wide) / 2 || Math.abs(one.y - y) >= (one.high + high) / 2);

// `act` does something, `changed` is called when the stage is to be drawn anew.
function makeStage(act, changed) {
  const [curves, seen, cards, chips] = [new Map(), new Map(), new Map(), new Map()];
  let [root, links, obstacles, width, edge] = [null, [], [], 0, 0];

  // A line of memory or disk; `seen` tells whether it has just changed.
  function line(l, time) {
    const was = seen.get(l.id);
    if (was?.text !== l.text) seen.set(l.id, { text: l.text, is: was && "changed" });
    const left = Math.max(0, l.until - time);
    const share = Math.min(1, left / Math.max(l.until - l.since, 1e-6));
    const is = [l.flags & FLAGS.token && "token", l.until && !left && "expired"];
    return h("div.line", { key: l.field, title: l.full, is }, h("span.key", `${l.label} = `),
      h("span.value", { key: l.text, is: seen.get(l.id).is }, l.text), l.until > 0 && h("span.soft",
        h("span.meter", h("i", { style: `width:${(100 * share).toFixed(1)}%` })),
        h("span.left", left ? `${left.toFixed(1)} s` : "expired")));
  }

  // Made anew only when something on it has changed, or runs out.
  function card(node, view) {
    const { level, time, pids } = view;
    const pid = Object.hasOwn(pids, node.name) && pids[node.name]; // it may be named "constructor"
    const lines = [...node.memory, ...node.disk];
    const last = view.latest.find((one) => one.client === node.name);
    const mark = [node.status, node.life, node.caption, level, pid, last?.n, last?.word,
      lines.some((l) => l.until) && time, ...lines.map((l) => l.field + l.text)].join("\n");
    return memo(cards, node.name, mark, () => madeCard(node, view, pid, last));
  }

  function madeCard({ name, role, lives, status, life, died, caption, memory, disk }, view, pid, last) {
    const { level, time, actions } = view;
    const verbs = APPLY[status].filter((verb) => level > 0 || verb === "kill" || verb === "restart");
    const kept = memory.filter((l) => level > 0 || !(l.flags & FLAGS.port));
    const pressed = (verb) => ({ detail }) => { if (detail < 2) act(verb, name); }; // no double click
    return h("article.card", { key: name, "data-node": name, "data-status": status,
      "aria-label": [name, role, ...(lives ? [status] : [])].join(", ") },
    h("div.head", h("h4.name", name), pid && h("span.caption", `pid ${pid}`), h("span.status",
      { key: "status", is: [`is-${status}`, lives && `icon-${status}`], title: died },
      lives && h("span", status), life && h("span.muted", life))),
    h("div.memory", { key: "memory", is: status === "dead" && "lost" }, h("div.caption", caption),
      kept.map((l) => line(l, time)), !kept.length && h("div.line.empty", { key: "empty" }, "empty")),
    disk.length > 0 && h("div.disk", { key: "disk" }, h("div.caption", "disk"),
      disk.map((l) => line(l, time))),
    h("div.buttons", { key: "buttons" },
      verbs.map((verb) => button(capital(verb), VERBS[verb], pressed(verb),
        { key: verb, "data-verb": verb, "aria-label": `${capital(verb)} ${name}` })),
      actions.map((a, n) => a.client === name && button(a.label, "", () => act("action", n),
        { key: n, title: a.line, "data-action": a.label, "aria-label": `${name}: ${a.label}` }))),
    !lives && h("div.last", { key: "last" }, last && [outcome(last),
      h("span.answer", { key: `${last.n} ${last.word}`, title: last.answer }, last.answer)]));
  }

  // The buttons of links, each in the middle of its link, or near it, where no card or other one is.
  function chipsOf(shown) {
    const taken = [];
    return shown.map((link) => {
      const [wide, high] = [link.fault ? 90 : CHIP, CHIP + 2 * link.fault.length]; // with its words
      const spots = SPOTS.map((part) => on(curves.get(link.key), part));
      const free = (spot) => clear(taken, spot, wide, high) && clear(obstacles, spot, CHIP, CHIP);
      const [x, y] = spots.find(free) ?? spots[0];
      taken.push({ x, y, wide, high });
      return memo(chips, link.key, Object.values({ ...link, x, y }).join("\n"), () => chip(link, x, y));
    });
  }

  function chip(link, x, y) {
    const shut = (details) => { details.open = false; details.firstChild.focus(); };
    const pressed = (doing) => (event) => { shut(event.currentTarget.closest("details")); act(...doing); };
    return h("details.link", { key: link.key, name: "sl-link", // one open menu at a time
      style: `left:${x.toFixed(1)}px;top:${y.toFixed(1)}px`,
      onkeydown: (event) => { if (event.key === "Escape") shut(event.currentTarget); } },
    h("summary.chip.icon-dots", { is: link.fault && "faulty", "aria-label":
      `link ${link.a} – ${link.b}: ${link.fault || (link.open ? "open" : "no connection")}` }, link.fault),
    h("div.menu", { role: "group", "aria-label": `the link of ${link.a} and ${link.b}` },
      offers(link).map(([label, ...doing]) => button(label, "", pressed(doing), { key: label }))));
  }

  function message({ n, link, lost, label, left, due }, weight) {
    const part = Math.min(1, (weight - left) / between(1, FLIGHT, due - left));
    const points = curves.get(link);
    const [x, y] = on(points, 0.12 + 0.76 * part);
    const side = x > edge ? "end" : "middle"; // or the stage would cut its words
    const words = lost ? `${label} · lost` : label;
    const [low, high] = [points[0][0], points[3][0]].sort((a, b) => a - b);
    const half = Math.min(4 * words.length, (high - low) / 2); // a letter is some 8 px wide
    const aside = high - low > 8 ? between(low + half, high - half, x) - x : 0; // not over a card
    return h("g.message", { key: n, is: lost && "astray", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
      lost ? h("path", { d: "M-4 -4L4 4M4 -4L-4 4" }) : h("circle", { r: 5 }),
      h("text.label", { x: aside.toFixed(1), y: -10, "text-anchor": side }, words));
  }

  const path = ({ key, open, cut }) => h("path.link-line", { key, is: [open && "open", cut && "cut"],
    d: curves.get(key).map((point, n) => ["M", "C", " ", " "][n] + point).join("") });

  function tree(view) {
    ({ links } = view);
    const known = links.filter((link) => curves.has(link.key));
    const columns = Object.entries(COLUMNS).map(([column, label]) =>
      [label, view.nodes.filter((node) => node.column === column)]).filter(([, nodes]) => nodes.length);
    const most = Math.max(...columns.map(([, nodes]) => nodes.length));
    return h("section.stage", { key: "stage", "aria-label": "nodes" },
      h("svg.links", { "aria-hidden": "true" }, known.map(path)),
      h("div.columns", { "data-columns": columns.length, "data-many": most > 3 },
        columns.map(([label, nodes]) => h("div.column", { key: label, role: "group", "aria-label": label,
          is: nodes.length === most && "full" }, h("div.heading", label),
        h("div.cards", nodes.map((node) => card(node, view)))))),
      h("div.chips", chipsOf(known.filter((link) => view.level > 1 || link.fault))),
      h("svg.links.air", { "aria-hidden": "true" },
        view.flights.filter(({ link }) => curves.has(link)).map((one) => message(one, view.weight))));
  }

  // Where the cards are now, and how wide the panel is; whether that is news.
  function measure() {
    const origin = root.getBoundingClientRect();
    const boxes = new Map([...root.querySelectorAll("[data-node]")].map((one) =>
      [one.dataset.node, one.getBoundingClientRect()]));
    obstacles = [...boxes.values()].map((box) => ({ wide: box.width, high: box.height,
      x: box.left + box.width / 2 - origin.left, y: box.top + box.height / 2 - origin.top }));
    const before = JSON.stringify([width, ...curves]);
    width = root.closest(".sl-panel").clientWidth;
    edge = origin.width - 64; // so wide is half of a label, about
    curves.clear();
    for (const { a, b, key } of links) {
      if (!boxes.has(a) || !boxes.has(b)) continue;
      const points = curve(boxes.get(a), boxes.get(b), origin);
      curves.set(key, points).set(linkOf(b, a), points.toReversed());
    }
    return JSON.stringify([width, ...curves]) !== before;
  }

  // After the page has been made so: watches what is there, and tells whether a link has come.
  function settle(stage) {
    root = stage;
    for (const one of [root, ...root.querySelectorAll("[data-node]")]) watcher.observe(one);
    return links.some(({ key }) => !curves.has(key)) && measure();
  }

  const watcher = new ResizeObserver(() => { if (root.checkVisibility() && measure()) changed(); });
  return { tree, settle, width: () => width, stop: () => watcher.disconnect() };
}
