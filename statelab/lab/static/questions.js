// Predictions, observations and exit checks: what is asked of the learner, and what is said. And a
// log of inputs to scrub over: a slider, the state at each moment, and inputs to leave out.

const numbered = (words) => words.map((one, place) => [place, one]);

const ASK = {
  predict({ question, choices, levels, chosen, sure, done }, save) {
    const disabled = done === "answered";
    const ready = !disabled && chosen >= 0 && sure;
    const said = {
      "": chosen < 0 ? t("Choose one.") : sure ? "" : t("And how sure are you?"),
      answered: t("Kept. Now see whether it comes true."),
      skipped: t("Skipped. You may still predict."),
    };
    return [h("div.heading", t("Predict")),
      choice(question, numbered(choices), chosen, (place) => save({ chosen: place }),
        { is: "choices", disabled }),
      choice(t("How sure are you?"), Object.entries(levels), sure, (level) => save({ sure: level }),
        { is: "sure", disabled }),
      h("div.buttons", button(t("That is my prediction"), "", // it stays, for it has the focus
        () => { if (ready) save({ done: "answered" }); }, { is: "primary", "aria-disabled": String(!ready) }),
      done === "" && button(t("Skip"), "", () => save({ done: "skipped" }), { is: "quiet" })),
      h("p.said", { role: "status" }, said[done])];
  },
  observe({ verdict }) {
    return [h("div.heading", t("Prediction and outcome")), compared(verdict)];
  },
  quiz({ questions, chosen, feedback }, save) {
    return [h("div.heading", t("Exit check")), questions.map(({ question, choices }, number) =>
      h("div.question", choice(`${number + 1}. ${question}`, numbered(choices), chosen[number],
        (place) => save({ chosen: chosen.with(number, place) }), { is: "choices" }),
      judged(feedback[number]?.mark, feedback[number]?.text)))];
  },
  scrub({ at, without, states, inputs, names, end, gate }, save, send) {
    if (gate) return [gated(gate, t("Skip"), () => send("skip"))];
    const said = at === 0 ? t("at the start") : t("after {0} {1}", at, inputs[at - 1]);
    const chip = (input, n) => {
      const others = without.filter((one) => one !== n + 1);
      const out = others.length < without.length;
      const toggle = () => save({ without: out ? others : [...others, n + 1].sort((a, b) => a - b) });
      return button(h("span.input", { is: !out && n >= at && "muted" }, `${n + 1} ${input}`), "", toggle,
        { "aria-pressed": String(out) });
    };
    const line = (name, n) => h("div.line", h("span.key", `${name} = `),
      h(at > 0 && states[at][n] !== states[at - 1][n] ? "b.value" : "span.value", states[at][n]));
    return [h("div", h("div.heading", t("the log · press an input to leave it out")),
      h("div.buttons", inputs.map(chip), without.length > 0
        && button(t("put all back"), "", () => save({ without: [] }), { is: "quiet" }))),
    h("div", h("div.heading", t("the moment")),
      h("input.slider", { type: "range", min: 0, max: inputs.length, value: String(at),
        "aria-label": t("the moment to look at"), "aria-valuetext": said,
        oninput: ({ target }) => save({ at: Number(target.value) }) }),
      h("div.memory", { role: "status" },
        h("div.caption", without.includes(at) ? t("state {0} (left out)", said) : t("state {0}", said)),
        names.map(line))),
    h("p", { role: "status" }, end)];
  },
};

function render({ model, el }) {
  const [traits, kind] = [traitsOf(model), model.get("kind")];
  const root = viewIn(el, `ask sl-${kind}`, kind === "scrub" ? t("a log to scrub over") : kind);
  const save = (values) => { model.set(values); model.save_changes(); };
  const send = (content) => model.send(content);
  return heard(model, "change", () => patch(root, trees(ASK[kind](traits, save, send))));
}

export default { initialize: kept, render };
