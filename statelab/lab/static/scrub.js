// A log of inputs to scrub over: a slider, the state at each moment, and inputs to leave out.

function render({ model, el }) {
  const get = (name) => model.get(name);
  const set = (values) => { model.set(values); model.save_changes(); };
  const root = document.createElement("div");
  for (const [name, value] of Object.entries({ class: "statelab", role: "group", "aria-label": "a log to scrub over",
    "data-lm-suppress-shortcuts": "true" })) root.setAttribute(name, value);
  el.append(root);

  function chip(said, at) {
    const [place, without] = [at + 1, get("without")];
    const out = without.includes(place);
    const toggle = () => set({ without: out ? without.filter((one) => one !== place) : [...without, place].sort((a, b) => a - b) });
    return button(h("span.input", { is: out || at >= get("at") ? "muted" : "", style: out ? "text-decoration:line-through" : "" }, `${place} ${said}`),
      "", toggle, { key: place, "aria-pressed": String(out), style: out ? "border-style:dashed" : "" });
  }

  function draw() {
    const [at, without, states, inputs] = [get("at"), get("without"), get("states"), get("inputs")];
    const said = at === 0 ? "at the start" : `after ${at} ${inputs[at - 1]}`;
    // JupyterLab would take the arrow keys: first as shortcuts, then to walk from cell to cell.
    const onkeydown = (event) => { if (event.key.startsWith("Arrow")) event.stopPropagation(); };
    patch(root, get("gate") ? [h("div.gate", { key: "gate" }, h("p", {}, h("b", {}, "Predict first, or skip: "), get("gate")),
      button("Skip", "", () => model.send("skip"), { is: "quiet" }))]
      : [h("div.log-of-inputs", { key: "body" },
        h("div", {}, h("div.heading", {}, "the log · press an input to leave it out"), h("div.buttons", {}, inputs.map(chip),
          without.length > 0 && button("put all back", "", () => set({ without: [] }), { key: "back", is: "quiet" }))),
        h("div", {}, h("div.heading", {}, "the moment"), h("input.slider", { type: "range", min: 0, max: inputs.length, step: 1,
          "aria-label": "the moment to look at", "aria-valuetext": said, value: at, oninput: (event) => set({ at: Number(event.target.value) }), onkeydown }),
        h("div.memory", { role: "status" }, h("div.caption", {}, `state ${said}${without.includes(at) ? " (left out)" : ""}`),
          get("names").map((name, n) => h("div.line", { key: name }, `${name} = `,
            h(at > 0 && states[at][n] !== states[at - 1][n] ? "b" : "span", { key: "value" }, states[at][n]))))),
        h("p", { key: "end", role: "status" }, get("end")))]);
  }
  draw();
  const events = "change:at change:without change:states change:end change:gate";
  model.on(events, draw);
  return () => model.off(events, draw);
}

export default { render };
