// The stage: a card for each node and client, links between them, and what travels on the links.

// The icons of verbs, of what happens, and of outcomes.
const ICONS = { breach: "dead", kill: "kill", restart: "again", start: "again", pause: "paused", resume: "play", lost: "dead",
  reconnect: "right", ok: "check", fail: "dead", wait: "dots" };
const APPLY = { up: ["kill", "pause"], paused: ["kill", "resume"], dead: ["restart"], client: [] };
const columnsOf = () => ({ clients: t("clients"), balancers: t("in between"), servers: t("servers"),
  stores: t("stores"), copies: t("copies") });
const FLIGHT = 420; // ms: what waits or is lost on its way has come so far by then
const SPOTS = [0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8, 0.1, 0.9, 0.05, 0.95]; // on a link, for its button
const CHIP = 26; // px: how high and wide such a button is, with a gap
const SCREEN = 796, AROUND = 144, TIMES = 76; // px: a panel, what is around its stage, its time line without lanes
const NEVER = 1e6; // s: whoever has so much time left has it without an end

const words = () => ({ up: t("up"), paused: t("paused"), dead: t("dead"), kill: t("Kill"), restart: t("Restart"),
  pause: t("Pause"), resume: t("Resume") });

const iconOf = (name) => name in ICONS && `icon-${ICONS[name]}`;
const outcome = ({ mark, word }) => h("span.outcome", { is: [mark, iconOf(mark)] }, word);

// What can be done to a link: [its label, the verb, the two names].
const offers = ({ a, b, cut, held }) => [
  cut ? [t("Heal"), "heal", a, b] : [t("Cut"), "partition", a, b],
  held ? [t("Release"), "release", a, b] : [t("Hold"), "hold", a, b],
  [t("Lose the next to {0}", b), "lose_next", a, b], [t("Lose the next to {0}", a), "lose_next", b, a]];

// A curve between two cards, as four points: of those tried, the one that lies behind the fewest cards.
function curve(a, b, { width, height }, others) {
  const [ya, yb] = [a, b].map(({ y, high }) => y - high / 2 + 24);
  const side = Math.abs(a.x - b.x) > (a.wide + b.wide) / 2 ? Math.sign(b.x - a.x) : 0;
  if (!side) { // in one column: around the side with more room
    const to = a.x - a.wide / 2 < width / 2 ? 1 : -1;
    const [one, other] = [a, b].map(({ x, wide }) => x + (to * wide) / 2);
    const out = between(16, width - 16, to * Math.max(to * one, to * other) + to * 40);
    return [[one, ya], [out, ya], [out, yb], [other, yb]];
  }
  const [xa, xb] = [a.x + (side * a.wide) / 2, b.x - (side * b.wide) / 2];
  const middle = (xa + xb) / 2;
  const edges = others.flatMap(({ y, high }) => [y - high / 2 - 8, y + high / 2 + 8]);
  const past = edges.filter((y) => y > 4 && y < height - 4)
    .map((y) => (y - (ya + yb) / 8) / 0.75); // so high its middle points, to pass there
  const tried = [[ya, yb], ...past.map((y) => [y, y])]
    .map(([p, q]) => [[xa, ya], [middle, p], [middle, q], [xb, yb]]);
  const hits = tried.map((points) =>
    [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((n) => !clear(others, on(points, n / 10), 0, 0)).length);
  return tried[hits.indexOf(Math.min(...hits))];
}

function on([p, q, r, t], part) {
  const u = 1 - part;
  const shares = [u ** 3, 3 * u * u * part, 3 * u * part * part, part ** 3];
  return [0, 1].map((i) => shares[0] * p[i] + shares[1] * q[i] + shares[2] * r[i] + shares[3] * t[i]);
}

// Whether a box in the middle of a place lies over none of the others.
const clear = (others, [x, y], wide, high) => others.every((one) =>
  Math.abs(one.x - x) >= (one.wide + wide) / 2 || Math.abs(one.y - y) >= (one.high + high) / 2);

// The old value and the new one; of two ports the part that differs is marked.
function changedTo({ was, text, flags }) {
  const same = flags & FLAGS.port ? [...text].findIndex((one, n) => one !== was[n]) : text.length;
  return [h("span.was", was), h("span", ` → ${text.slice(0, same)}`), same < text.length && h("b", text.slice(same))];
}

// How many px a card needs, before it has anything to show: so its place stays.
function need(node, actions, lines, many) {
  const wide = actions.filter((one) => one.client === node.name)
    .reduce((sum, { label }) => sum + 30 + 6.6 * label.length, 0);
  const disk = lines > 1 && /stores|copies/.test(node.column) ? 72 : 0;
  return 46 + (node.lives ? 28 + 20 * lines + (many ? 0 : 34) : many ? 28 : 60) + disk + 34 * Math.ceil(wide / 230);
}

// `act` does something, `changed` is called when the stage is to be drawn anew.
function makeStage(act, changed) {
  const [curves, seen, cards, chips] = [new Map(), new Map(), new Map(), new Map()];
  let [root, links, obstacles, width] = [null, [], [], 0];

  // A line of memory or disk; `seen` tells whether it has just changed, or while one dragged over time.
  function line(l, { time, drags }) {
    const was = seen.get(l.id);
    if (!drags && was?.text !== l.text) seen.set(l.id, { text: l.text, is: was && "changed" });
    const left = Math.max(0, l.until - time);
    const share = Math.min(1, left / Math.max(l.until - l.since, 1e-6));
    const nobody = l.until > 0 && l.text === "None"; // until then, it need not ask
    const is = [l.flags & FLAGS.token && "token", l.until && !left && "expired"];
    const short = !drags && l.was !== undefined && (l.was + l.text).length < 24;
    const says = left > NEVER ? t("no end") : nobody ? t("may ask in {0} s", left.toFixed(1)) : t("{0} s", left.toFixed(1));
    return h("div.line", { key: l.id, title: `${l.label} = ${l.full}`, is }, h("span.key", `${l.label} = `),
      h("span.value", { key: drags ? "" : l.text, is: !drags && seen.get(l.id).is }, short ? changedTo(l) : nobody ? "–" : l.text),
      l.until > 0 && (left || !nobody) && h("span.soft",
        left > 0 && left < NEVER && h("span.meter", h("i", { style: `width:${(100 * share).toFixed(1)}%` })),
        h("span.left", left ? says : t("expired"))));
  }

  // Made anew only when something on it has changed, or runs out.
  function card(node, view) {
    const { level, time, pids } = view;
    const pid = Object.hasOwn(pids, node.name) && pids[node.name]; // it may be named "constructor"
    const lines = [...node.memory, ...node.disk];
    const last = view.latest.find((one) => one.who === node.name && one.kind === "request");
    const mark = [node.status, node.life, node.caption, level, pid, last?.key, last?.word,
      lines.some((l) => l.until) && time, ...lines.map((l) => l.id + l.was + l.text)].join("\n");
    return memo(cards, node.name, `${mark}${view.many}${view.drags}`, () => madeCard(node, view, pid, last));
  }

  function madeCard({ name, role, lives, status, life, died, lost, caption, memory, disk }, view, pid, last) {
    const { level, actions } = view;
    const verbs = APPLY[status].filter((verb) => level > 0 || verb === "kill" || verb === "restart");
    const ports = memory.filter((l) => level > 0 && l.flags & FLAGS.port);
    const kept = memory.filter((l) => !(l.flags & FLAGS.port));
    const pressed = (verb) => ({ detail }) => { if (detail < 2) act(verb, name); }; // no double click
    const gone = status === "dead" && (lost ? "lost" : "bare");
    return h("article.card", { key: name, "data-node": name, "data-status": status,
      "aria-label": [name, role, ...(lives ? [words()[status]] : [])].join(", ") },
    h("div.head", h("h4.name", name), pid && h("span.caption", `pid ${pid}`), h("span.status",
      { is: [`is-${status}`, lives && `icon-${status}`], title: died },
      lives && h("span", words()[status]), life && h("span.muted", life))),
    h("div.buttons",
      verbs.map((verb) => button(view.many ? "" : words()[verb], ICONS[verb], pressed(verb),
        { key: verb, "data-verb": verb, title: words()[verb], "aria-label": t("{0} {1}", words()[verb], name) })),
      actions.map((a, n) => a.client === name && button(a.label, "", () => act("action", n),
        { title: a.line, "data-action": a.label, "aria-label": `${name}: ${a.label}` }))),
    !lives && h("div.last", last && [outcome(last), h("span.answer", { title: last.answer }, last.answer)]),
    (lives || kept.length + ports.length > 0) && h("div.memory", { is: gone, tabindex: "-1" },
      h("div.caption", caption || t("memory")), kept.map((l) => line(l, view)),
      ports.length > 1 ? h("details.ports", h("summary", t("{0} connections", ports.length)),
        ports.map((l) => line(l, view))) : ports.map((l) => line(l, view)),
      lives && !kept.length && h("div.line.empty", t("empty"))),
    disk.length > 0 && h("div.disk", { tabindex: "-1" }, h("div.caption", t("disk")), disk.map((l) => line(l, view))));
  }

  // The buttons of links, each in the middle of its link, or near it, where no card or other one is.
  function chipsOf(shown) {
    const taken = [];
    return shown.map((link) => {
      const [wide, high] = [link.fault ? 90 : CHIP, CHIP + 2 * link.fault.replace(/[^\x00-\xff]/g, "xx").length]; // with its words
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
      `${t("link")} ${link.a} – ${link.b}: ${link.fault || (link.open > 0 ? t("open") : t("no connection"))}` }, link.fault),
    h("div.menu", { role: "group", "aria-label": t("the link of {0} and {1}", link.a, link.b) },
      offers(link).map(([label, ...doing]) => button(label, "", pressed(doing), { key: label }))));
  }

  function message({ n, link, lost, label, left, due }, weight) {
    const part = Math.min(1, (weight - left) / between(1, FLIGHT, due - left));
    const points = curves.get(link);
    const [x, y] = on(points, 0.12 + 0.76 * part);
    const words = lost ? t("{0} · lost", label) : label;
    const ends = [points[0][0], points[3][0]].sort((a, b) => a - b);
    const [low, high] = ends[1] - ends[0] > 8 ? ends : [0, width]; // not over a card, nor cut
    const half = Math.min(4 * words.length, (high - low) / 2); // a letter is some 8 px wide
    const aside = between(low + half, high - half, x) - x;
    return h("g.message", { key: n, is: lost && "astray", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
      lost ? h("path", { d: "M-4 -4L4 4M4 -4L-4 4" }) : h("circle", { r: 5 }),
      h("text.label", { x: aside.toFixed(1), y: -10, "text-anchor": "middle" }, words));
  }

  const path = ({ key, open, cut }) => h("path.link-line", { key, is: [open > 0 && "open", cut && "cut"],
    d: curves.get(key).map((point, n) => ["M", "C", " ", " "][n] + point).join("") });

  // How high the cards of a column stand, whatever they will show: shares of what the screen leaves.
  function tree(view) {
    ({ links } = view);
    const { nodes, actions, level } = view;
    const known = links.filter((link) => curves.has(link.key));
    const columns = Object.entries(columnsOf()).map(([column, label]) =>
      [label, nodes.filter((node) => node.column === column)]).filter(([, inside]) => inside.length);
    const needs = (lines, many) =>
      columns.map(([, inside]) => inside.map((node) => need(node, actions, lines, many)));
    const sum = (column) => column.reduce((all, one) => all + one + 8, 0);
    const [room, most] = [SCREEN - AROUND - (level ? LANE * Math.min(nodes.length, 8) + TIMES : 0), Math.max(...needs(4).map(sum))];
    const shares = most > room ? needs(1, true) : needs(4);
    view.many = most > room + 40;
    return h("section.stage", { key: "stage", "aria-label": t("nodes") },
      h("svg.links", { "aria-hidden": "true" }, known.map(path)),
      h("div.columns", { "data-columns": columns.length, "data-many": view.many,
        style: `--high:${between(280, Math.max(room, 280), most)}px` },
      columns.map(([label, inside], n) => h("div.column", { key: label, role: "group", "aria-label": label },
        h("div.cards", { style: `--rows:${shares[n].map((one) => `minmax(0,${one}fr)`).join(" ")}` },
          inside.map((node) => card(node, view)))))),
      h("div.chips", chipsOf(known.filter((link) => level > 1 || link.fault))),
      h("svg.links.air", { "aria-hidden": "true" },
        view.flights.filter(({ link }) => curves.has(link)).map((one) => message(one, view.weight))));
  }

  // Where the cards are now, and how wide the panel is; whether that is news.
  function measure() {
    const [origin, before] = [root.getBoundingClientRect(), JSON.stringify([width, ...curves])];
    const boxes = new Map([...root.querySelectorAll("[data-node]")].map((card) => {
      const { left, top, width: wide, height: high } = card.getBoundingClientRect();
      return [card.dataset.node, { wide, high, x: left + wide / 2 - origin.left, y: top + high / 2 - origin.top }];
    }));
    obstacles = [...boxes.values()];
    width = root.clientWidth;
    curves.clear();
    for (const { a, b, key } of links) {
      const ends = [boxes.get(a), boxes.get(b)];
      if (ends.includes(undefined)) continue;
      const points = curve(...ends, origin, obstacles.filter((box) => !ends.includes(box)));
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
