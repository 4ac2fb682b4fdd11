// Predictions, observations and exit checks: what is asked of the learner, and what is said.

const numbered = (words) => words.map((one, place) => [place, one]);

const ASK = {
  predict({ model, save, own, draw }) {
    const [levels, done] = [Object.entries(model.get("levels")), model.get("done")];
    const disabled = done === "answered";
    if (disabled) Object.assign(own, { chosen: model.get("chosen"),
      sure: levels.findIndex(([key]) => key === model.get("sure")) });
    const { chosen = -1, sure = -1 } = own;
    const ready = !disabled && chosen >= 0 && sure >= 0;
    const answer = () => { if (ready) save({ chosen, sure: levels[sure][0], done: "answered" }); };
    const keep = (name) => (place) => { own[name] = place; draw(); };
    const said = {
      "": chosen < 0 ? t("Choose one.") : sure < 0 ? t("And how sure are you?") : "",
      answered: t("Kept. Now see whether it comes true."),
      skipped: t("Skipped. You may still predict."),
    };
    return [h("div.heading", t("Predict")),
      choice(model.get("question"), numbered(model.get("choices")), chosen, keep("chosen"),
        { is: "choices", disabled }),
      choice(t("How sure are you?"), numbered(levels.map(([, word]) => word)), sure, keep("sure"),
        { is: "sure", disabled }),
      h("div.buttons", { key: "buttons" },
        button(t("That is my prediction"), "", answer, // it stays, for it has the focus
          { key: "answer", is: "primary", "aria-disabled": String(!ready) }),
        done === "" && button(t("Skip"), "", () => save({ done: "skipped" }), { key: "skip", is: "quiet" })),
      h("p.said", { key: "said", role: "status" }, said[done])];
  },
  observe({ model }) {
    const { mark, said, text, earlier } = model.get("verdict");
    return [h("div.heading", t("Prediction and outcome")), h("p.said", said), judged(mark, text),
      earlier && h("p.muted", { key: "earlier" }, t("Earlier: {0}", earlier))];
  },
  quiz({ model, save }) {
    const [chosen, feedback] = [model.get("chosen"), model.get("feedback")];
    return [h("div.heading", t("Exit check")), model.get("questions").map(({ question, choices }, number) =>
      h("div.question", { key: number },
        choice(`${number + 1}. ${question}`, numbered(choices), chosen[number],
          (place) => save({ chosen: chosen.with(number, place) }), { is: "choices" }),
        judged(feedback[number]?.mark, feedback[number]?.text)))];
  },
};

function render({ model, el }) {
  const [kind, own] = [model.get("kind"), {}];
  const root = viewIn(el, `ask sl-${kind}`, kind);
  const save = (values) => { model.set(values); model.save_changes(); };
  const draw = () => patch(root, trees(ASK[kind]({ model, save, own, draw })));
  return heard(model, "change", draw);
}

export default { render };
