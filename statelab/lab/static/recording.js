// Recordings: tables that only grow (lab/panel/recording.py makes them), and what holds at a row.

const ARRAYS = { d: Float64Array, i: Int32Array };
const FLAGS = { held: 1, token: 2, port: 4 };
const MARKS = ["wait", "ok", "fail"];
const KINDS = ["request", "up", "paused", "cut", "held"];

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
      runs.set(one.run, index(run));
    }
    const current = runs.get(chunk.now[0]);
    if (current) close(current, chunk.now[1]);
    return true;
  }

  // What is looked up often: each field's changes, the requests, where each bar and
  // flight ends, and when a row is played.
  function index(run) {
    const { rows, changes, bars, ends, flights, landings } = run;
    const count = (run.count = rows.time.length);
    run.tracks = new Map([...Map.groupBy(changes.at.keys(), (n) => changes.subject[n])].map(
      ([subject, entries]) => [subject, Map.groupBy(entries, (n) => changes.field[n])]));
    run.requests = [...bars.at.keys()].filter((n) => KINDS[bars.kind[n]] === "request");
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

  // Until when a run goes on after its last row: one more time and weight.
  function close(run, now) {
    const { time, weight, count } = run;
    const last = Math.max(count - 1, 0);
    run.now = time[last + 1] = Math.max(now, time[last]);
    run.length = weight[last + 1] = weight[last] + pace(run.now - time[last]);
    return run;
  }

  // The fields of a subject at a row: {name: the entry of `changes` that holds}.
  function fields(run, subject, row) {
    const found = {};
    for (const [field, track] of run.tracks.get(subject) ?? []) {
      const n = track[place(track, row, run.changes.at)];
      if (run.changes.value[n] >= 0) found[texts[field]] = n;
    }
    return found;
  }

  const word = (run, found, name) => texts[run.changes.value[found[name]]] ?? "";

  // Each node and client as it is at a row.
  function nodes(run, row) {
    const { value, full, flags, until, at } = run.changes;
    return subjects.flatMap((subject, number) => {
      const found = subject.name ? fields(run, number, row) : {};
      if (!("status" in found)) return [];
      const line = ([field, n]) => {
        const [, name, label] = field.split("\t");
        return { id: `${number} ${field}`, field, label, name: plain(name), text: texts[value[n]],
          full: texts[full[n]], flags: flags[n], until: until[n], since: run.time[at[n]] / 1e6 };
      };
      const lines = (kind) => Object.entries(found).filter(([field]) => field.startsWith(kind)).map(line);
      const said = (name) => word(run, found, name);
      return [{ ...subject, status: said("status"), life: said("life"), died: said("died"),
        caption: said("caption") || "memory", memory: lines("m\t"),
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
        .filter(([kind, , left]) => kind === "lose" && left > 0).map(([, to]) => `loses next to ${to}`);
      return [{ ...subject, key: linkOf(subject.a, subject.b), open: open > 0, cut, held,
        fault: [cut, held, ...loses].filter(Boolean).join(", ") }];
    });
  }

  // What is on its way at a row, and what is lost just there.
  function flights(run, row) {
    const { at, from, to, label } = run.flights;
    const found = [];
    for (let n = 0; at[n] <= row; n += 1) {
      const down = run.landings.at[run.landing[n]] ?? Infinity;
      const lost = down === row && run.landings.lost[run.landing[n]] === 1;
      if (down > row || lost) found.push({ n, lost, label: texts[label[n]],
        link: linkOf(subjects[from[n]].name, subjects[to[n]].name),
        left: run.weight[at[n]], due: run.weight[down] ?? Infinity });
    }
    return found;
  }

  // One bar as it is at a row.
  function bar(run, n, row = Infinity) {
    const { at, lane, kind, what, to } = run.bars;
    const ended = run.ends.at[run.end[n]] <= row ? run.end[n] : -1;
    const { mark, word: words, answer } = run.ends;
    return { n, time: run.time[at[n]], lane: lane[n], kind: KINDS[kind[n]], what: texts[what[n]],
      client: subjects[lane[n]].name, to: subjects[to[n]]?.name, end: run.time[run.ends.at[ended]] ?? null,
      mark: MARKS[mark[ended] ?? 0], word: texts[words[ended]] ?? "waiting",
      answer: texts[answer[ended]] ?? "" };
  }

  // The latest requests up to a row, the last one first, and how many there were.
  function requests(run, row, most) {
    const count = place(run.requests, row, run.bars.at) + 1;
    const latest = run.requests.slice(Math.max(0, count - most), count).reverse();
    return [latest.map((n) => bar(run, n, row)), count];
  }

  // Where each thing is that anybody ever remembered up to a row: [name, places].
  function where(run, row, shown) {
    const { at, flags } = run.changes;
    const places = new Map();
    const was = (n) => at[n] <= row && flags[n] & FLAGS.held;
    subjects.forEach((_, number) => run.tracks.get(number)?.forEach((track, field) => {
      const [kind, name] = texts[field].split("\t");
      const known = kind === "d" ? at[track[0]] <= row : kind === "m" && track.some(was);
      if (known) places.set(plain(name), []);
    }));
    for (const { name, status, memory, disk } of shown) {
      const held = status === "dead" ? [] : memory.filter((line) => line.flags & FLAGS.held);
      for (const thing of new Set(held.map((line) => line.name))) places.get(thing)?.push(name);
      for (const thing of disk) places.get(thing.name)?.push(`${name}’s disk`);
    }
    return [...places];
  }

  return { runs, subjects, texts, take, nodes, links, flights, bar, requests, where };
}
