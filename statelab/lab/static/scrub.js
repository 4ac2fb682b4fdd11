// A log of inputs to scrub over: a slider, the state at each moment, and inputs to leave out.

function render({ model, el }) {
  const root = viewIn(el, "scrub", t("a log to scrub over"));
  const set = (values) => { model.set(values); model.save_changes(); };

  function draw() {
    const [at, without, states, inputs, gate] = ["at", "without", "states", "inputs", "gate"]
      .map((name) => model.get(name));
    if (gate) return patch(root, [gated(gate, t("Skip"), () => model.send("skip"))]);
    const said = at === 0 ? t("at the start") : t("after {0} {1}", at, inputs[at - 1]);
    const chip = (input, n) => {
      const [place, out] = [n + 1, without.includes(n + 1)];
      const others = without.filter((one) => one !== place);
      const toggle = () => set({ without: out ? others : [...others, place].sort((a, b) => a - b) });
      return button(h("span.input", { is: !out && n >= at && "muted" }, `${place} ${input}`), "", toggle,
        { key: place, "aria-pressed": String(out) });
    };
    const line = (name, n) => h("div.line", { key: name }, h("span.key", `${name} = `),
      h(at > 0 && states[at][n] !== states[at - 1][n] ? "b.value" : "span.value", { key: "value" }, states[at][n]));
    patch(root, [h("div.log-of-inputs", { key: "body" },
      h("div", h("div.heading", t("the log · press an input to leave it out")),
        h("div.buttons", inputs.map(chip), without.length > 0
          && button(t("put all back"), "", () => set({ without: [] }), { key: "back", is: "quiet" }))),
      h("div", h("div.heading", t("the moment")),
        h("input.slider", { type: "range", min: 0, max: inputs.length, value: String(at),
          "aria-label": t("the moment to look at"), "aria-valuetext": said,
          oninput: ({ target }) => set({ at: Number(target.value) }) }),
        h("div.memory", { role: "status" },
          h("div.caption", without.includes(at) ? t("state {0} (left out)", said) : t("state {0}", said)),
          model.get("names").map(line))),
      h("p", { key: "end", role: "status" }, model.get("end")))]);
  }
  return heard(model, "change", draw);
}

export default { render };
