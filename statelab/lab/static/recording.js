// Recordings: tables that only grow (lab/panel/recording.py makes them), and what holds at a row.

const FLOATS = ["time", "until"]; // the columns of 64-bit floats; the others are 32-bit integers
const FLAGS = { token: 2, port: 4 };
const QUIET = ["write", "routine"]; // are not listed
const FRESH = 500_000; // µs: so long the old value stands beside the new one

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

// How many ms the time between two rows is played for: an instant all but none, so that each row
// has a weight of its own, and a second is not a thousand times a millisecond.
const pace = (us) => (us > 0 ? 180 + 140 * Math.log10(1 + us / 10_000) : 0.001);

// Where one sorted column comes to a value, another column beside it comes to this.
function across(from, to, value) {
  const row = between(0, from.length - 2, place(from, value));
  const part = between(0, 1, (value - from[row]) / (from[row + 1] - from[row] || 1));
  return to[row] + part * (to[row + 1] - to[row]);
}

// For each of `count` things, the entry of `column` that names it, or -1.
function entries(count, column) {
  const found = new Int32Array(count).fill(-1);
  column.forEach((thing, n) => { found[thing] = n; });
  return found;
}

// A column of a table: so much of the one before, and what has come.
function joined(name, before, start, { buffer, byteOffset, byteLength }) {
  const Numbers = FLOATS.includes(name) ? Float64Array : Int32Array;
  const fresh = new Numbers(buffer.slice(byteOffset, byteOffset + byteLength));
  const whole = new Numbers(start + fresh.length);
  if (start) whole.set(before.subarray(0, start));
  whole.set(fresh, start);
  return whole;
}

const linkOf = (a, b) => `${a}\t${b}`;
// In which row a flight ends.
const down = (run, n) => run.landings.at[run.landing[n]] ?? Infinity;

// All recordings of one panel. `take` adds a chunk, and is false if one before it is missing.
function library() {
  const [runs, texts, subjects] = [new Map(), [], []];

  function take(chunk) {
    const lists = [[texts, ...chunk.texts], [subjects, ...chunk.subjects]];
    const lacks = chunk.runs.some(({ source, since }) => since.rows > (runs.get(source)?.count ?? 0));
    if (lacks || lists.some(([list, start]) => start > list.length)) return false;
    for (const [list, start, fresh] of lists) fresh.forEach((one, n) => { list[start + n] = one; });
    for (const { number, source, since, tables } of chunk.runs) {
      const [before, run] = [runs.get(source), { number }];
      for (const [table, columns] of Object.entries(tables)) {
        run[table] = Object.fromEntries(Object.entries(columns).map(([name, fresh]) =>
          [name, joined(name, before?.[table][name], since[table], fresh)]));
      }
      runs.set(number, index(run));
    }
    const current = runs.get(chunk.now[0]);
    if (current) close(current, chunk.now[1]);
    return true;
  }

  // What is looked up often: each field's changes; where each bar and flight ends; when a row is played.
  function index(run) {
    const { rows, changes, bars, ends, flights, landings } = run;
    const count = (run.count = rows.time.length);
    run.tracks = new Map();
    for (let n = 0; n < changes.at.length; n += 1) {
      const [subject, field] = [changes.subject[n], changes.field[n]];
      const key = subject * 2 ** 32 + field;
      if (!run.tracks.has(key)) {
        const [kind, name, label] = texts[field].split("\t");
        run.tracks.set(key, { subject, kind, name, label, entries: [] });
      }
      run.tracks.get(key).entries.push(n);
    }
    run.end = entries(bars.at.length, ends.bar);
    run.landing = entries(flights.at.length, landings.flight);
    run.longest = flights.at.reduce((most, at, n) => Math.max(most, Math.min(down(run, n), count) - at), 0);
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

  // What there is at a row: each node and client, each link, and where each thing is.
  function stand(run, row) {
    const { value, full, flags, until, at } = run.changes;
    const all = subjects.map((one) => ({ fault: "", ...one, memory: [], disk: [], where: [] }));
    for (const [id, { subject, kind, name, label, entries }] of run.tracks) {
      const entry = place(entries, row, at);
      const n = entries[entry];
      if (!(value[n] >= 0)) continue;
      const text = texts[value[n]];
      if (name === undefined) {
        all[subject][kind] = text;
        continue;
      }
      const since = run.time[at[n]];
      const was = run.time[row] - since < FRESH ? texts[value[entries[entry - 1]]] : text;
      all[subject][kind]?.push({ id, label, text, full: texts[full[n]],
        was: was === text ? undefined : was, flags: flags[n], until: until[n], since: since / 1e6 });
    }
    for (const { disk } of all) disk.sort((a, b) => (a.label < b.label ? -1 : 1));
    return { nodes: all.filter((one) => one.status), links: all.filter((one) => one.key),
      where: all[0]?.where ?? [] };
  }

  // What is on its way at a row, and what is lost just there: of what looks the same, the latest.
  function flights(run, row) {
    const { at, from, to, label } = run.flights;
    const found = new Map();
    for (let n = place(at, row - run.longest - 1) + 1; at[n] <= row; n += 1) {
      const landing = down(run, n);
      const lost = landing === row && run.landings.lost[run.landing[n]] === 1;
      if (landing <= row && !lost) continue;
      const link = linkOf(subjects[from[n]].name, subjects[to[n]].name);
      found.set([link, label[n], lost].join(), { n, link, lost, label: texts[label[n]],
        left: run.weight[at[n]], due: run.weight[landing] ?? Infinity });
    }
    return [...found.values()];
  }

  // What has happened up to a moment, the latest first. What comes again and again is told once.
  function happened(run, row, time, most) {
    const { at, lane, time: when, bar, ...said } = run.events;
    const [found, latest, { kind, mark }] = [[], {}, said];
    let n = place(at, row);
    while (at[n + 1] === row + 1 && texts[kind[n + 1]] === "expired" && when[n + 1] <= time) n += 1;
    for (; n >= 0 && found.length < most; n -= 1) {
      if (QUIET.includes(texts[kind[n]])) continue;
      if (texts[mark[n]] === "wait" && run.ends.at[run.end[bar[n]]] <= row) continue;
      const one = { key: n, time: when[n], who: subjects[lane[n]].name, count: 1 };
      for (const name in said) one[name] = texts[said[name][n]];
      const repeated = latest[lane[n]];
      const same = repeated && Object.keys(said).every((name) => repeated[name] === one[name]);
      if (same && one.kind === "request" && bar[n] < 0) { repeated.count += 1; continue; }
      latest[lane[n]] = one;
      found.push(one);
    }
    return found;
  }

  return { runs, subjects, texts, take, stand, flights, happened };
}
