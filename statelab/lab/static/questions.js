// Predictions, observations and exit checks: what is asked of the learner, and what is said.

const ICONS = { right: "M2 6.5l2.7 2.7L10 3.4", wrong: "M2.5 2.5l7 7M9.5 2.5l-7 7" };
let groups = 0; // radio buttons of two views must not share a name

function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.map((c) => `sl-${c}`).join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `sl-icon sl-icon-${name}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function radios(legend, choices, onchange, className = "choices") {
  const name = `statelab-${(groups += 1)}`;
  const inputs = choices.map((_, place) =>
    h("input", { type: "radio", name, value: String(place), onchange: () => onchange(place) }));
  const set = h(`fieldset.${className}`, {}, h("legend", {}, legend),
    ...choices.map((choice, place) => h("label", {}, inputs[place], h("span", {}, choice))));
  set.slCheck = (place) => inputs.forEach((input, at) => { input.checked = at === place; });
  set.slLock = (locked) => inputs.forEach((input) => { input.disabled = locked; });
  return set;
}

function verdictLine(mark, ...children) {
  const known = mark === "right" || mark === "wrong";
  return [...(known ? [icon(mark)] : []), ...children];
}

// ------------------------------------------------------------------ predict
function predict(model, root) {
  const levels = Object.entries(model.get("levels"));
  let chosen = model.get("chosen");
  let sure = levels.findIndex(([key]) => key === model.get("sure"));
  const choices = radios(model.get("question"), model.get("choices"), (place) => { chosen = place; draw(); });
  const how = radios("How sure are you?", levels.map(([, word]) => word),
    (place) => { sure = place; draw(); }, "sure");
  const answer = h("button.button.primary", { type: "button", onclick: () => {
    if (chosen < 0 || sure < 0) return;
    model.set({ chosen, sure: levels[sure][0] });
    model.set("done", "answered");
    model.save_changes();
  } }, "That is my prediction");
  const skip = h("button.button.quiet", { type: "button", onclick: () => {
    model.set("done", "skipped");
    model.save_changes();
  } }, "Skip");
  const said = h("p.said", { role: "status" });
  root.append(h("div.heading", {}, "Predict"), choices, how, h("div.buttons", {}, answer, skip), said);

  const draw = () => {
    const done = model.get("done");
    if (done === "answered") {
      chosen = model.get("chosen");
      sure = levels.findIndex(([key]) => key === model.get("sure"));
    }
    choices.slCheck(chosen);
    how.slCheck(sure);
    for (const set of [choices, how]) set.slLock(done === "answered");
    answer.setAttribute("aria-disabled", String(chosen < 0 || sure < 0));
    answer.hidden = done === "answered";
    skip.hidden = done !== "";
    const texts = {
      "": chosen < 0 ? "Choose one." : sure < 0 ? "And how sure are you?" : "",
      answered: "Kept. The panel below is open: see whether it comes true.",
      skipped: "Skipped: the panel below is open. You may still predict.",
    };
    said.textContent = texts[done];
  };
  draw();
  return { "change:done change:chosen change:sure": draw };
}

// ------------------------------------------------------------------ observe
function observe(model, root) {
  const said = h("p.said");
  const judged = h("p.judged", { role: "status" });
  root.append(h("div.heading", {}, "Prediction and outcome"), said, judged);
  const draw = () => {
    const { mark, said: words, text } = model.get("verdict");
    said.textContent = words ?? "";
    judged.className = `sl-judged sl-is-${mark}`;
    judged.replaceChildren(...verdictLine(mark, h("span", {}, text ?? "")));
  };
  draw();
  return { "change:verdict": draw };
}

// ------------------------------------------------------------------ the exit check
function quiz(model, root) {
  root.append(h("div.heading", {}, "Exit check"));
  const parts = model.get("questions").map(({ question, choices }, number) => {
    const set = radios(`${number + 1}. ${question}`, choices, (place) => {
      const chosen = [...model.get("chosen")];
      chosen[number] = place;
      model.set("chosen", chosen);
      model.save_changes();
    });
    const feedback = h("p.judged", { role: "status" });
    root.append(h("div.question", {}, set, feedback));
    return { set, feedback };
  });
  const draw = () => {
    parts.forEach(({ set, feedback }, number) => {
      set.slCheck(model.get("chosen")[number]);
      const { mark, text } = model.get("feedback")[number] ?? { mark: "", text: "" };
      feedback.className = `sl-judged sl-is-${mark || "open"}`;
      feedback.replaceChildren(...verdictLine(mark, h("span", {}, text)));
    });
  };
  draw();
  return { "change:feedback change:chosen": draw };
}

const KINDS = { predict, observe, quiz };

function render({ model, el }) {
  const kind = model.get("kind");
  const root = h(`section.ask.${kind}`, {});
  root.classList.add("statelab");
  el.append(root);
  const draws = KINDS[kind](model, root);
  for (const [names, draw] of Object.entries(draws)) model.on(names, draw);
  return () => {
    for (const [names, draw] of Object.entries(draws)) model.off(names, draw);
  };
}

export default { render };
