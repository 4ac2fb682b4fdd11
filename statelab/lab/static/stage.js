// The stage: a card for each node and client, links between them, and what travels on the links.

const APPLY = { up: ["kill", "pause"], paused: ["kill", "resume"], dead: ["restart"], client: [] };
const FLIGHT = 420; // ms: what waits or is lost on its way has come so far by then
// Where a link's button may be on it, the best first.
const SPOTS = [0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8, 0.1, 0.9, 0.05, 0.95, 0.45, 0.55, 0.35, 0.65, 0.25, 0.75, 0.15, 0.85];
const CHIP = 26; // px: how high and wide such a button is, with a gap
const SCREEN = 796, AROUND = 144, TIMES = 76; // px: a panel, what is around its stage, its time line without lanes
const WAYS = [[4, 0], [1, 0], [1, 1], [1, 2]]; // how a column shows its cards: lines of memory, and how tight
const NEVER = 1e6; // s: whoever has so much time left has it without an end

const words = () => ({ up: t("up"), paused: t("paused"), dead: t("dead"), kill: t("Kill"), restart: t("Restart"),
  pause: t("Pause"), resume: t("Resume") });

const brief = (word) => word.match(/^\d+|.*/)[0]; // a status without its name
const outcome = ({ mark, word }) => h("span.outcome", { is: [mark, `icon-${mark}`] }, word);

// What can be done to a link: [its label, the verb, the two names].
const offers = ({ a, b, cut, held }) => [
  cut ? [t("Heal"), "heal", a, b] : [t("Cut"), "partition", a, b],
  held ? [t("Release"), "release", a, b] : [t("Hold"), "hold", a, b],
  [t("Lose the next to {0}", b), "lose_next", a, b], [t("Lose the next to {0}", a), "lose_next", b, a]];

// A curve between two cards, as four points: of those tried, the one that lies behind the fewest cards.
function curve(a, b, { width, height }, others) {
  const [ya, yb] = [a, b].map(({ y, high }) => y - high / 2 + 24);
  const side = Math.abs(a.x - b.x) > (a.wide + b.wide) / 2 ? Math.sign(b.x - a.x) : 0;
  const to = side || (a.x - a.wide / 2 < width / 2 ? 1 : -1); // in one column: around the side with more room
  const [xa, xb] = [a.x + (to * a.wide) / 2, b.x - ((side || -to) * b.wide) / 2];
  const middle = side ? (xa + xb) / 2 : between(16, width - 16, to * Math.max(to * xa, to * xb) + to * 40);
  const edges = others.flatMap(({ y, high }) => [y - high / 2 - 8, y + high / 2 + 8]);
  const past = edges.filter((y) => side && y > 4 && y < height - 4)
    .map((y) => (y - (ya + yb) / 8) / 0.75); // so high its middle points, to pass there
  const tried = [[ya, yb], ...past.map((y) => [y, y])]
    .map(([p, q]) => [[xa, ya], [middle, p], [middle, q], [xb, yb]]);
  const hits = tried.map((points) => SPOTS.filter((part) => !clear(others, on(points, part), 0)).length);
  return tried[hits.indexOf(Math.min(...hits))];
}

const on = ([p, q, r, s], part) => [0, 1].map((i) => (1 - part) ** 3 * p[i]
  + 3 * part * (1 - part) ** 2 * q[i] + 3 * part ** 2 * (1 - part) * r[i] + part ** 3 * s[i]);

// Whether a square in the middle of a place lies over none of the others.
const clear = (others, [x, y], size) => others.every((one) =>
  Math.abs(one.x - x) >= (one.wide + size) / 2 || Math.abs(one.y - y) >= (one.high + size) / 2);

// The old value and the new one; of two ports the part that differs is marked.
function changedTo({ was, text, flags }) {
  const same = flags & FLAGS.port ? [...text].findIndex((one, n) => one !== was[n]) : text.length;
  return [h("span.was", was), h("span", ` → ${text.slice(0, same)}`), same < text.length && h("b", text.slice(same))];
}

// How many px a card needs, before it has anything to show: so its place stays. `tight` is 1 where
// a client's answer is one line, and 2 where its ports are not shown either.
function need(node, { actions, level, many }, lines, tight) {
  let [rows, left] = [0, 0]; // of buttons, and the room in the last of them
  for (const { client, label } of actions) {
    const wide = client === node.name && 34 + 5.9 * label.length;
    if (wide > left) [rows, left] = [rows + 1, 248];
    left -= wide;
  }
  const disk = lines > 1 && /stores|copies/.test(node.column) ? 72 : 0;
  const own = node.lives ? 32 + 20 * lines + (many ? 0 : 34) : (tight ? 22 : 60) + (level && tight < 2 ? 30 + 20 * Math.min(lines, 2) : 0);
  return 44 + own + disk + 34 * rows;
}

// `act` does something.
function makeStage(act) {
  const [curves, spots, cards, chips] = [new Map(), new Map(), new Map(), new Map()];
  let [links, width] = [[], 0];

  // A line of memory or disk. What has just changed glows, unless one drags over time.
  function line(l, { time, drags }) {
    const fresh = !drags && l.was !== undefined;
    const left = Math.max(0, l.until - time);
    const share = Math.min(1, left / Math.max(l.until - l.since, 1e-6));
    const nobody = l.until > 0 && l.text === "None"; // until then, it need not ask
    const is = [l.flags & FLAGS.token && "token", l.until && !left && "expired"];
    const short = fresh && (l.was + l.text).length < 24;
    const says = left > NEVER ? t("no end") : nobody ? t("may ask in {0} s", left.toFixed(1)) : t("{0} s", left.toFixed(1));
    return h("div.line", { key: l.id, title: `${l.label} = ${l.full}`, is }, h("span.key", `${l.label} = `),
      h("span.value", { key: drags ? "" : l.text, is: fresh && "changed" }, short ? changedTo(l) : nobody ? "–" : l.text),
      l.until > 0 && (left || !nobody) && h("span.soft",
        left > 0 && left < NEVER && h("span.meter", h("i", { style: `width:${(100 * share).toFixed(1)}%` })),
        h("span.left", left ? says : t("expired"))));
  }

  // Made anew only when something on it has changed, or runs out.
  function card(node, view) {
    const { level, time, pids, many, tight, drags, latest } = view;
    const pid = Object.hasOwn(pids, node.name) && pids[node.name]; // it may be named "constructor"
    const runs = node.memory.concat(node.disk).some((l) => l.until) && time;
    const last = latest.find((one) => one.who === node.name && one.kind === "request");
    const mark = JSON.stringify([node, pid, last, runs, level, many, tight, drags]);
    return memo(cards, node.name, mark, () => madeCard(node, view, pid, last));
  }

  function madeCard({ name, role, lives, status, life, died, lost, caption, memory, disk }, view, pid, last) {
    const { level, actions, tight } = view;
    const verbs = APPLY[status].filter((verb) => level > 0 || verb === "kill" || verb === "restart");
    const ports = memory.filter((l) => level > 0 && l.flags & FLAGS.port && (lives || tight < 2));
    const kept = memory.filter((l) => !(l.flags & FLAGS.port));
    const pressed = (verb) => ({ detail }) => { if (detail < 2) act(verb, name); }; // no double click
    const gone = status === "dead" && (lost ? "lost" : "bare");
    return h("article.card", { key: name, is: tight > 0 && "tight", "data-node": name, "data-status": status,
      "aria-label": [name, role, ...(lives ? [words()[status]] : [])].join(", ") },
    h("div.head", h("h4.name", name), pid && h("span.caption", `pid ${pid}`), h("span.status",
      { is: [`is-${status}`, lives && `icon-${status}`], title: died },
      lives && h("span", words()[status]), life && h("span.muted", life))),
    h("div.buttons",
      verbs.map((verb) => button(view.many ? "" : words()[verb], verb, pressed(verb),
        { key: verb, "data-verb": verb, title: words()[verb], "aria-label": t("{0} {1}", words()[verb], name) })),
      actions.map((a, n) => a.client === name && button(a.label, "", () => act("action", n),
        { title: a.line, "data-action": a.label, "aria-label": `${name}: ${a.label}` }))),
    !lives && h("div.last", last && [outcome(tight ? { ...last, word: brief(last.word) } : last), h("span.answer", { title: last.answer }, last.answer)]),
    (lives || kept.length + ports.length > 0) && h("div.memory", { is: gone, tabindex: "-1" },
      h("div.caption", caption || t("memory")), kept.map((l) => line(l, view)),
      ports.length > 1 ? h("details.ports", h("summary", t("{0} connections", ports.length)),
        ports.map((l) => line(l, view))) : ports.map((l) => line(l, view)),
      lives && !kept.length && h("div.line.empty", t("empty"))),
    disk.length > 0 && h("div.disk", { tabindex: "-1" }, h("div.caption", t("disk")), disk.map((l) => line(l, view))));
  }

  function chip(link) {
    const [x, y] = spots.get(link.key);
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
    const [middle, room] = [points[0][0] + points[3][0], points[0][0] - points[3][0]].map((sum) => sum / 2);
    const free = Math.max(Math.abs(room) - 4 * words.length, 0); // not over a card: a letter is some 8 px wide
    const aside = between(middle - free, middle + free, x) - x;
    return h("g.message", { key: n, is: lost && "astray", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
      lost ? h("path", { d: "M-4 -4L4 4M4 -4L-4 4" }) : h("circle", { r: 5 }),
      h("text.label", { x: aside.toFixed(1), y: -10, "text-anchor": "middle" }, words));
  }

  const path = ({ key, open, cut }) => h("path.link-line", { key, is: [open > 0 && "open", cut && "cut"],
    d: curves.get(key).map((point, n) => ["M", "C", " ", " "][n] + point).join("") });

  // How high the cards of a column stand, whatever they will show: shares of what the screen leaves.
  function tree(view) {
    ({ links } = view);
    const { nodes, level } = view;
    const known = links.filter((link) => curves.has(link.key));
    const columns = [...Map.groupBy(nodes.sort((a, b) => a.rank - b.rank), ({ heading }) => heading)];
    const high = (inside, ...how) => inside.reduce((all, node) => all + need(node, view, ...how) + 8, -8);
    const room = SCREEN - AROUND - (level ? LANE * Math.min(nodes.length + (level > 1 && nodes.length < 7), 8) + TIMES : 0);
    view.many = false;
    const most = Math.max(...columns.map(([, inside]) => high(inside, 4, 0)));
    view.many = most > room + 40;
    const hows = columns.map(([, inside]) => WAYS.find((how) => high(inside, ...how) <= room) ?? WAYS.at(-1));
    return h("section.stage", { key: "stage", "aria-label": t("nodes") },
      h("svg.links", { "aria-hidden": "true" }, known.map(path)),
      h("div.columns", { "data-columns": columns.length, "data-many": view.many,
        style: `--high:${between(280, Math.max(room, 280), most)}px` },
      columns.map(([label, inside], n) => h("div.column", { key: label, role: "group", "aria-label": label },
        h("div.cards", { style: `--rows:${inside.map((node) => `minmax(0,${need(node, view, ...hows[n])}fr)`).join(" ")}` },
          inside.map((node) => card(node, { ...view, tight: hows[n][1] })))))),
      h("div.chips", known.filter((link) => level > 1 || link.fault).map((link) =>
        memo(chips, link.key, JSON.stringify([link, spots.get(link.key)]), () => chip(link)))),
      h("svg.links.air", { "aria-hidden": "true" },
        view.flights.filter(({ link }) => curves.has(link)).map((one) => message(one, view.weight))));
  }

  // Where the cards are now, how wide their stage is, and where links and their buttons go; whether
  // that is news. A button is in the middle of its link, or near it, where no card or other one is.
  function measure(stage) {
    const [origin, before] = [stage.getBoundingClientRect(), JSON.stringify([width, ...curves])];
    const boxes = new Map([...stage.querySelectorAll("[data-node]")].map((card) => {
      const { left, top, width: wide, height: high } = card.getBoundingClientRect();
      return [card.dataset.node, { wide, high, x: left + wide / 2 - origin.left, y: top + high / 2 - origin.top }];
    }));
    const taken = [...boxes.values()];
    width = stage.clientWidth;
    curves.clear();
    for (const { a, b, key } of links) {
      const ends = [boxes.get(a), boxes.get(b)];
      if (ends.includes(undefined)) continue;
      const points = curve(...ends, origin, [...boxes.values()].filter((box) => !ends.includes(box)));
      const places = SPOTS.map((part) => on(points, part));
      const [x, y] = places.find((spot) => clear(taken, spot, CHIP)) ?? places[0];
      taken.push({ x, y, wide: CHIP, high: CHIP });
      spots.set(key, [x, y]);
      curves.set(key, points).set(linkOf(b, a), points.toReversed());
    }
    return JSON.stringify([width, ...curves]) !== before;
  }

  return { tree, measure, width: () => width, lacks: () => links.some(({ key }) => !curves.has(key)) };
}
