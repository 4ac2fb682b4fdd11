// Recordings: tables that only grow (lab/panel/recording.py makes them), and what holds at a row.

const ARRAYS = { d: Float64Array, i: Int32Array };
const FLAGS = { held: 1, token: 2, port: 4 };
const MARKS = ["wait", "ok", "fail", "neither"];
const KINDS = ["request", "up", "paused", "cut", "held", "soft"];
const EVENTS = ["request", "kill", "start", "pause", "resume", "link", "reconnect", "lost", "twice", "taken",
  "expired", "write", "note", "routine"];
const QUIET = ["write", "routine"]; // are not listed
const FRESH = 500_000; // µs: so long the old value stands beside the new one
const AIR = 8; // flights are looked up in spans of 2 ** AIR rows

// The last place in sorted `values` whose value is at most `wanted`, or -1. Instead of values, they
// may be entries of a column.
function place(values, wanted, column) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = column ? column[values[middle]] : values[middle];
    if (value <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// How many ms the time between two rows is played for: an instant stays one, and a second is not a
// thousand times a millisecond.
const pace = (us) => (us <= 0 ? 0 : 180 + 140 * Math.log10(1 + us / 10_000));

// For each of `count` things, the entry of `column` that names it, or -1.
function entries(count, column) {
  const found = new Int32Array(count).fill(-1);
  column.forEach((thing, n) => { found[thing] = n; });
  return found;
}

const getOr = (map, key, make) => map.get(key) ?? map.set(key, make()).get(key);
const plain = (name) => (name === "ports" ? "port" : name);
const linkOf = (a, b) => `${a}\t${b}`;

// All recordings of one panel. `take` adds a chunk, and is false if one before it is missing.
function library() {
  const [runs, texts, subjects] = [new Map(), [], []];

  function take(view) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const head = view.getUint32(0, true);
    const chunk = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + head)));
    const source = (one) => runs.get(one.source?.run ?? one.run);
    const lacks = chunk.runs.some((one) => one.counts.rows[0] > (source(one)?.count ?? 0));
    const lists = [[texts, ...chunk.texts], [subjects, ...chunk.subjects]];
    if (lacks || lists.some(([list, start]) => start > list.length)) return false;
    for (const [list, start, fresh] of lists) fresh.forEach((one, n) => { list[start + n] = one; });
    let at = Math.ceil((4 + head) / 8) * 8;
    for (const one of chunk.runs) {
      const [before, run] = [source(one), { number: one.run }];
      for (const [table, columns] of Object.entries(chunk.tables)) {
        const [start, end] = one.counts[table];
        run[table] = Object.fromEntries(columns.map(([column, kind]) => {
          const whole = new ARRAYS[kind](end);
          const size = (end - start) * whole.BYTES_PER_ELEMENT;
          if (start) whole.set(before[table][column].subarray(0, start));
          whole.set(new ARRAYS[kind](bytes.slice(at, at + size).buffer), start);
          at += Math.ceil(size / 8) * 8;
          return [column, whole];
        }));
      }
      runs.set(one.run, index(run, before, one.counts.changes[0]));
    }
    const current = runs.get(chunk.now[0]);
    if (current) close(current, chunk.now[1]);
    return true;
  }

  // What is looked up often: each field's changes, and since when it is known; the requests; where
  // each bar and flight ends; when a row is played. What grows is gone on with, a branch copied.
  function index(run, before, known) {
    const { rows, changes, bars, ends, flights, landings } = run;
    const count = (run.count = rows.time.length);
    const grows = before?.number === run.number && known === before.changes.at.length;
    run.tracks = grows ? before.tracks : copied(before?.tracks, known);
    for (let n = known; n < changes.at.length; n += 1) {
      const fields = getOr(run.tracks, changes.subject[n], () => new Map());
      const track = getOr(fields, changes.field[n], () => Object.assign([], { since: Infinity }));
      track.push(n);
      const is = changes.flags[n] & FLAGS.held || texts[changes.field[n]].startsWith("d");
      if (is) track.since = Math.min(track.since, changes.at[n]);
    }
    run.requests = [...bars.at.keys()].filter((n) => bars.kind[n] === 0);
    run.end = entries(bars.at.length, ends.bar);
    run.landing = entries(flights.at.length, landings.flight);
    // A run of no rows has one moment, too: its beginning, in which nothing has happened.
    [run.time, run.weight] = [0, 0].map(() => new Float64Array(Math.max(count, 1) + 1));
    run.time.set(rows.time);
    for (let n = 1; n < count; n += 1) {
      run.weight[n] = run.weight[n - 1] + pace(run.time[n] - run.time[n - 1]);
    }
    return close(run, 0);
  }

  function copied(tracks, known) {
    const cut = (track) => {
      const kept = track.slice(0, place(track, known - 1) + 1);
      return Object.assign(kept, { since: track.since });
    };
    return new Map([...tracks ?? []].map(([subject, fields]) => [subject, new Map(
      [...fields].map(([field, track]) => [field, cut(track)]).filter(([, track]) => track.length))]));
  }

  // Until when a run goes on after its last row: one more time and weight.
  function close(run, now) {
    const { time, weight, count } = run;
    const last = Math.max(count - 1, 0);
    run.now = time[last + 1] = Math.max(now, time[last]);
    run.length = weight[last + 1] = weight[last] + pace(run.now - time[last]);
    return run;
  }

  // The fields of a subject at a row: {name: the entry of `changes` that holds, the one before}.
  function fields(run, subject, row) {
    const found = {};
    for (const [field, track] of run.tracks.get(subject) ?? []) {
      const at = place(track, row, run.changes.at);
      if (run.changes.value[track[at]] >= 0) found[texts[field]] = [track[at], track[at - 1]];
    }
    return found;
  }

  const word = (run, found, name) => texts[run.changes.value[found[name]?.[0]]] ?? "";

  // Each node and client as it is at a row.
  function nodes(run, row) {
    const { value, full, flags, until, at } = run.changes;
    return subjects.flatMap((subject, number) => {
      const found = subject.name ? fields(run, number, row) : {};
      if (!("status" in found)) return [];
      const line = ([field, [n, before]]) => {
        const [, name, label] = field.split("\t");
        const [text, since] = [texts[value[n]], run.time[at[n]]];
        const was = run.time[row] - since < FRESH ? texts[value[before]] : text;
        return { id: `${number} ${field}`, field, label, name: plain(name), text, full: texts[full[n]],
          was: was === text ? undefined : was, flags: flags[n], until: until[n], since: since / 1e6 };
      };
      const lines = (kind) => Object.entries(found).filter(([field]) => field.startsWith(kind)).map(line);
      const said = (name) => word(run, found, name);
      return [{ ...subject, status: said("status"), life: said("life"), died: said("died"), lost: said("lost"),
        caption: said("caption") || t("memory"), memory: lines("m\t"),
        disk: lines("d\t").sort((a, b) => (a.label < b.label ? -1 : 1)) }];
    });
  }

  // Each link as it is at a row, with its faults in words.
  function links(run, row) {
    return subjects.flatMap((subject, number) => {
      if (!subject.a) return [];
      const found = fields(run, number, row);
      const [cut, held, open] = ["cut", "held", "open"].map((name) => word(run, found, name));
      const loses = Object.keys(found).map((field) => [...field.split("\t"), word(run, found, field)])
        .filter(([kind, , left]) => kind === "lose" && left > 0).map(([, to]) => t("loses next to {0}", to));
      return [{ ...subject, key: linkOf(subject.a, subject.b), open: open > 0, cut, held,
        fault: [cut, held, ...loses].filter(Boolean).join(", ") }];
    });
  }

  // What is on its way at a row, and what is lost just there.
  function flights(run, row) {
    const { at, from, to, label } = run.flights;
    const down = (n) => run.landings.at[run.landing[n]] ?? Infinity;
    if (!run.air) {
      run.air = Array.from({ length: (run.count >> AIR) + 1 }, () => []);
      for (let n = 0; n < at.length; n += 1) {
        const last = Math.min(down(n), run.count) >> AIR;
        for (let span = at[n] >> AIR; span <= last; span += 1) run.air[span].push(n);
      }
    }
    return run.air[row >> AIR].flatMap((n) => {
      const landing = down(n);
      const lost = landing === row && run.landings.lost[run.landing[n]] === 1;
      return at[n] > row || (landing <= row && !lost) ? [] : [{ n, lost, label: texts[label[n]],
        link: linkOf(subjects[from[n]].name, subjects[to[n]].name),
        left: run.weight[at[n]], due: run.weight[landing] ?? Infinity }];
    });
  }

  // What has happened up to a moment, the latest first: what waits, and then all else. What comes
  // again and again is told once.
  function happened(run, row, time, most) {
    const { at, lane, kind, mark, what, word: said, answer, bar } = run.events;
    const waits = run.requests.slice(0, place(run.requests, row, run.bars.at) + 1).slice(-most)
      .filter((n) => !(run.ends.at[run.end[n]] <= row)).reverse();
    const found = waits.map((n) => ({ key: `w${n}`, time: run.time[run.bars.at[n]], kind: "request",
      who: subjects[run.bars.lane[n]].name, mark: "wait", word: t("waiting"), answer: "",
      what: `${texts[run.bars.what[n]]} → ${subjects[run.bars.to[n]].name}` }));
    let n = place(at, row);
    while (at[n + 1] === row + 1 && EVENTS[kind[n + 1]] === "expired" && run.events.time[n + 1] <= time) n += 1;
    const latest = {};
    for (; n >= 0 && found.length < most; n -= 1) {
      if (QUIET.includes(EVENTS[kind[n]])) continue;
      const same = [what[n], said[n], answer[n], mark[n]].join();
      const repeated = latest[lane[n]];
      if (repeated?.same === same && kind[n] === 0 && bar[n] < 0) { repeated.count += 1; continue; }
      const one = { key: n, time: run.events.time[n], kind: EVENTS[kind[n]], who: subjects[lane[n]].name,
        mark: MARKS[mark[n]], what: texts[what[n]], word: texts[said[n]], answer: texts[answer[n]],
        same, count: 1, bar: bar[n] };
      latest[lane[n]] = one;
      found.push(one);
    }
    return found;
  }

  // Where each thing is that anybody ever remembered up to a row: [name, places].
  function where(run, row, shown) {
    const places = new Map();
    subjects.forEach((_, number) => run.tracks.get(number)?.forEach((track, field) => {
      const [kind, name] = texts[field].split("\t");
      if ("md".includes(kind) && track.since <= row) places.set(plain(name), []);
    }));
    for (const { name, status, memory, disk } of shown) {
      const held = status === "dead" ? [] : memory.filter((line) => line.flags & FLAGS.held);
      for (const thing of new Set(held.map((line) => line.name))) places.get(thing)?.push(name);
      for (const thing of disk) places.get(thing.name)?.push(t("{0}’s disk", name));
    }
    return [...places];
  }

  return { runs, subjects, texts, take, nodes, links, flights, happened, where };
}
