// Recordings: tables that only grow (lab/recording.py makes them), and what holds at a row.

const ARRAYS = { d: Float64Array, i: Int32Array };
const FLAGS = { held: 1, token: 2, port: 4 };
const MARKS = ["wait", "ok", "fail"];
const KINDS = ["request", "up", "paused", "cut", "held"];
const BLOCK = 256;

// The last place in sorted `values` whose value is at most `wanted`, or -1.
function place(values, wanted) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// How many ms the time between two rows is played for: an instant stays one, and a second is not a
// thousand times a millisecond.
const pace = (us) => (us <= 0 ? 0 : 180 + 140 * Math.log10(1 + us / 10_000));

// All recordings of one panel. `take` adds a chunk, and is false if one before it is missing.
function library() {
  const runs = new Map();
  const texts = [];
  const subjects = [];

  function take(view) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const head = view.getUint32(0, true);
    const chunk = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + head)));
    const source = (one) => runs.get(one.source?.run ?? one.run);
    const lacks = (one) => one.counts.rows[0] > (source(one)?.rows.time.length ?? 0);
    if (chunk.texts[0] > texts.length || chunk.subjects[0] > subjects.length || chunk.runs.some(lacks)) return false;
    for (const [all, [start, fresh]] of [[texts, chunk.texts], [subjects, chunk.subjects]]) {
      all.length = start;
      for (const one of fresh) all.push(one);
    }
    let at = Math.ceil((4 + head) / 8) * 8;
    for (const one of chunk.runs) {
      const [before, run] = [source(one), {}];
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

  // What is looked up often: each field's changes, where each bar and flight ends, what is in the
  // air at the begin of each block of rows, and when a row is played.
  function index(run) {
    const { rows, changes, bars, ends, flights, landings } = run;
    const count = (run.count = rows.time.length);
    run.tracks = subjects.map(() => new Map());
    changes.at.forEach((at, n) => {
      const fields = run.tracks[changes.subject[n]];
      const track = fields.get(changes.field[n]) ?? { at: [], entry: [] };
      fields.set(changes.field[n], track);
      track.at.push(at);
      track.entry.push(n);
    });
    run.end = new Int32Array(bars.at.length).fill(-1);
    ends.bar.forEach((bar, n) => { run.end[bar] = n; });
    run.landing = new Int32Array(flights.at.length).fill(-1);
    landings.flight.forEach((flight, n) => { run.landing[flight] = n; });
    run.air = Array.from({ length: Math.floor(count / BLOCK) + 1 }, () => []);
    flights.at.forEach((at, n) => {
      const down = run.landing[n] < 0 ? count : landings.at[run.landing[n]];
      for (let block = Math.floor(at / BLOCK) + 1; block * BLOCK <= down && block < run.air.length; block += 1) run.air[block].push(n);
    });
    run.weight = new Float64Array(count);
    for (let n = 1; n < count; n += 1) run.weight[n] = run.weight[n - 1] + pace(rows.time[n] - rows.time[n - 1]);
    return close(run, 0);
  }

  // Until when a run goes on after its last row.
  function close(run, now) {
    const last = run.rows.time[run.count - 1] ?? 0;
    run.now = Math.max(now, last);
    run.length = (run.weight[run.count - 1] ?? 0) + pace(run.now - last);
    return run;
  }

  // The fields of a subject at a row: {name: the entry of `changes` that holds}.
  function fields(run, subject, row) {
    const found = {};
    for (const [field, track] of run.tracks[subject] ?? []) {
      const n = track.entry[place(track.at, row)] ?? -1;
      if (n >= 0 && run.changes.value[n] >= 0) found[texts[field]] = n;
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
      const lines = Object.entries(found).filter(([field]) => /^[md]\t/.test(field)).map(([field, n]) => {
        const [kind, name, label] = field.split("\t");
        return { id: `${number} ${field}`, field, kind, label, name: name === "ports" ? "port" : name, text: texts[value[n]], full: texts[full[n]],
          flags: flags[n], until: until[n], since: run.rows.time[at[n]] / 1e6 };
      });
      const [status, life, died, caption] = ["status", "life", "died", "caption"].map((name) => word(run, found, name));
      return [{ ...subject, status, life, died, caption: caption || "memory", memory: lines.filter((l) => l.kind === "m"),
        disk: lines.filter((l) => l.kind === "d").sort((a, b) => (a.label < b.label ? -1 : 1)) }];
    });
  }

  // Each link as it is at a row, with its faults in words.
  function links(run, row) {
    return subjects.flatMap((subject, number) => {
      if (!subject.a) return [];
      const found = fields(run, number, row);
      const loses = Object.keys(found).filter((field) => field.startsWith("lose\t") && word(run, found, field) !== "0");
      const [cut, held] = [word(run, found, "cut"), word(run, found, "held")];
      return [{ a: subject.a, b: subject.b, open: !["", "0"].includes(word(run, found, "open")), cut, held,
        fault: [cut, held, ...loses.map((field) => `loses next to ${field.slice(5)}`)].filter(Boolean).join(", ") }];
    });
  }

  // What is on its way at a row, and what is lost just there.
  function flights(run, row) {
    const { at, from, to, label, mark } = run.flights;
    const found = [...(run.air[Math.floor(row / BLOCK)] ?? [])];
    for (let n = place(at, row - (row % BLOCK) - 1) + 1; at[n] <= row; n += 1) found.push(n);
    return found.flatMap((n) => {
      const down = run.landings.at[run.landing[n]] ?? Infinity;
      const lost = down === row && run.landings.lost[run.landing[n]] === 1;
      if (down < row || (down === row && !lost)) return [];
      return [{ n, lost, from: subjects[from[n]].name, to: subjects[to[n]].name, label: texts[label[n]], mark: MARKS[mark[n]],
        left: run.weight[at[n]], due: run.weight[down] ?? Infinity }];
    });
  }

  // One bar as it is at a row.
  function bar(run, n, row = Infinity) {
    const { at, lane, kind, what, to } = run.bars;
    const ended = run.ends.at[run.end[n]] <= row ? run.end[n] : -1;
    const { mark, word: words, answer } = run.ends;
    return { n, time: run.rows.time[at[n]], lane: lane[n], kind: KINDS[kind[n]], what: texts[what[n]], client: subjects[lane[n]].name,
      to: subjects[to[n]]?.name, end: run.rows.time[run.ends.at[ended]] ?? null, mark: MARKS[mark[ended] ?? 0],
      word: texts[words[ended]] ?? "waiting", answer: texts[answer[ended]] ?? "" };
  }

  // The latest requests up to a row, the last one first, and how many there were.
  function requests(run, row, most) {
    const found = [];
    let count = 0;
    for (let n = place(run.bars.at, row); n >= 0; n -= 1) {
      if (run.bars.kind[n] !== 0) continue;
      count += 1;
      if (found.length < most) found.push(bar(run, n, row));
    }
    return [found, count];
  }

  // Where each thing is that anybody ever remembered up to a row: [name, places].
  function where(run, row, shown) {
    const places = new Map();
    run.tracks.forEach((fields) => fields.forEach((track, field) => {
      const [kind, name] = texts[field].split("\t");
      const known = kind === "d" || (kind === "m" && track.entry.some(
        (n) => run.changes.at[n] <= row && run.changes.flags[n] & FLAGS.held));
      if (known && track.at[0] <= row) places.set(name === "ports" ? "port" : name, []);
    }));
    for (const node of shown) {
      const held = node.status === "dead" ? [] : node.memory.filter((line) => line.flags & FLAGS.held);
      for (const name of new Set(held.map((line) => line.name))) places.get(name)?.push(node.name);
      for (const { name } of node.disk) places.get(name)?.push(`${node.name}’s disk`);
    }
    return [...places];
  }

  return { runs, subjects, texts, take, nodes, links, flights, bar, requests, where };
}
