// Predictions, observations and exit checks: what is asked of the learner, and what is said.

let groups = 0; // radio buttons of two views must not share a name

function radios(legend, choices, chosen, onchoose, { group, locked = false, is = "choices" }) {
  return h("fieldset", { is }, h("legend", {}, legend), choices.map((choice, place) =>
    h("label", {}, h("input", { type: "radio", name: group, value: place, checked: place === chosen, disabled: locked,
      onchange: () => onchoose(place) }), h("span", {}, choice))));
}

const KINDS = {
  predict(model, own, draw) {
    const [levels, done] = [Object.entries(model.get("levels")), model.get("done")];
    if (done === "answered") {
      own.chosen = model.get("chosen");
      own.sure = levels.findIndex(([key]) => key === model.get("sure"));
    }
    const locked = done === "answered";
    const [chosen, sure] = [own.chosen ?? -1, own.sure ?? -1];
    const ready = chosen >= 0 && sure >= 0;
    const answer = () => {
      if (!ready) return;
      model.set({ chosen, sure: levels[sure][0] });
      model.set("done", "answered");
      model.save_changes();
    };
    const skip = () => { model.set("done", "skipped"); model.save_changes(); };
    const texts = {
      "": chosen < 0 ? "Choose one." : sure < 0 ? "And how sure are you?" : "",
      answered: "Kept. Now see whether it comes true.",
      skipped: "Skipped. You may still predict.",
    };
    return [h("div.heading", {}, "Predict"),
      radios(model.get("question"), model.get("choices"), chosen, (place) => { own.chosen = place; draw(); },
        { group: `${own.group}-a`, locked }),
      radios("How sure are you?", levels.map(([, word]) => word), sure, (place) => { own.sure = place; draw(); },
        { group: `${own.group}-b`, locked, is: "sure" }),
      h("div.buttons", { key: "buttons" },
        !locked && button("That is my prediction", "", answer, { key: "answer", is: "primary", "aria-disabled": String(!ready) }),
        done === "" && button("Skip", "", skip, { key: "skip", is: "quiet" })),
      h("p.said", { key: "said", role: "status" }, texts[done])];
  },
  observe(model) {
    const { mark, said, text } = model.get("verdict");
    return [h("div.heading", {}, "Prediction and outcome"), h("p.said", {}, said), judged(mark, text)];
  },
  quiz(model, own) {
    return [h("div.heading", {}, "Exit check"), model.get("questions").map(({ question, choices }, number) => {
      const choose = (place) => {
        model.set("chosen", model.get("chosen").map((before, n) => (n === number ? place : before)));
        model.save_changes();
      };
      const { mark, text } = model.get("feedback")[number] ?? { mark: "", text: "" };
      return h("div.question", { key: number }, radios(`${number + 1}. ${question}`, choices, model.get("chosen")[number], choose,
        { group: `${own.group}-${number}` }), judged(mark, text));
    })];
  },
};

function render({ model, el }) {
  const [kind, own] = [model.get("kind"), { group: `statelab-${(groups += 1)}` }];
  const root = document.createElement("section");
  root.className = `statelab sl-ask sl-${kind}`;
  el.append(root);
  const draw = () => patch(root, h("div", {}, KINDS[kind](model, own, draw)).children);
  draw();
  const events = { predict: "done chosen sure", observe: "verdict", quiz: "feedback chosen" }[kind]
    .split(" ").map((name) => `change:${name}`).join(" ");
  model.on(events, draw);
  return () => model.off(events, draw);
}

export default { render };
