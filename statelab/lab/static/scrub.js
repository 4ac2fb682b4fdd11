// A log to scrub over: inputs that can be left out, a slider, and the state at one moment.

function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.map((c) => `sl-${c}`).join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  const set = (values) => { model.set(values); model.save_changes(); };
  const inputs = get("inputs");

  const question = h("span");
  const skip = h("button.button.quiet", { type: "button", onclick: () => model.send("skip") }, "Skip");
  const gate = h("div.gate", {}, h("p", {}, h("b", {}, "Predict first, or skip: "), question), skip);

  const toggle = (place) => {
    const without = get("without");
    set({ without: without.includes(place)
      ? without.filter((other) => other !== place)
      : [...without, place].sort((a, b) => a - b) });
  };
  const chips = inputs.map((said, at) => {
    const word = h("span.caption");
    const text = h("span", { style: "font: 13px/20px var(--mono)" }, `${at + 1} ${said}`);
    const chip = h("button.button", { type: "button", onclick: () => toggle(at + 1) }, text, word);
    return { chip, text, word };
  });
  const back = h("button.button.quiet", { type: "button", onclick: () => set({ without: [] }) }, "put all back");
  const slider = h("input", { type: "range", min: "0", max: String(inputs.length), step: "1",
    "aria-label": "the moment to look at", style: "width: 100%; accent-color: var(--memory)",
    oninput: () => set({ at: Number(slider.value) }) });
  const caption = h("div.caption");
  const lines = get("names").map((name) => {
    const value = h("b");
    return { name, value, line: h("div.line", {}, `${name} = `, value) };
  });
  const memory = h("div.memory", { role: "status", style: "max-width: 320px" }, caption, ...lines.map(({ line }) => line));
  const end = h("p", { role: "status" });
  const body = h("div", { style: "display: grid; gap: 16px; padding: 16px" },
    h("div", {}, h("div.heading", {}, "the log · press an input to leave it out"),
      h("div.buttons", {}, ...chips.map(({ chip }) => chip), back)),
    h("div", {}, h("div.heading", {}, "the moment"), slider, memory), end);
  // JupyterLab would take the arrow keys: first as shortcuts, then to walk from cell to cell.
  slider.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) event.stopPropagation();
  });
  const root = h("div", { class: "statelab", role: "group", "aria-label": "a log to scrub over",
    "data-lm-suppress-shortcuts": "true" }, gate, body);
  el.append(root);

  const draw = () => {
    const [at, without, states] = [get("at"), get("without"), get("states")];
    question.textContent = get("gate");
    gate.hidden = get("gate") === "";
    body.hidden = !gate.hidden;
    chips.forEach(({ chip, text, word }, place) => {
      const out = without.includes(place + 1);
      text.style.textDecoration = out ? "line-through" : "none";
      word.textContent = out ? "left out" : "";
      word.hidden = !out;
      chip.style.borderStyle = out ? "dashed" : "solid";
      text.style.color = out || place >= at ? "var(--muted)" : "inherit";
      chip.setAttribute("aria-pressed", String(out));
    });
    back.hidden = without.length === 0;
    slider.value = String(at);
    const said = at === 0 ? "at the start" : `after ${at} ${inputs[at - 1]}`;
    slider.setAttribute("aria-valuetext", said);
    caption.textContent = `state ${said}${without.includes(at) ? " (left out)" : ""}`;
    lines.forEach(({ value }, place) => {
      const now = states[at][place];
      value.textContent = now;
      value.style.fontWeight = at > 0 && now !== states[at - 1][place] ? "700" : "400";
    });
    end.textContent = get("end");
  };
  draw();
  const events = "change:at change:without change:states change:end change:gate";
  model.on(events, draw);
  return () => model.off(events, draw);
}

export default { render };
