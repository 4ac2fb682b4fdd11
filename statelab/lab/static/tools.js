// What all drawings share: a tree of what should be there, and `patch`, which makes the page so.
// What has the same tag and key stays the same element, so focus and place stay too.

const PROPERTIES = /^(on.*|checked|value)$/; // set as such: what a hand has changed comes back
// What is a program's own word, whatever language one reads in: names, values, codes, paths.
const QUOTED = /^(answer|code|happens|input|key|label|lane|name|outcome|place|python|tag|value|was|what|who)$/;

let said = {}; // by its English: what the kernel's language has for it
const t = (text, ...values) => (said[text] ?? text).replace(/\{(\d)\}/g, (_, n) => values[n]);
const between = (low, high, value) => Math.max(low, Math.min(high, value)); // `low`, if there is no such

// h("button.primary", {attributes, onclick, key, is}, children): its classes, and those in `is`,
// get the prefix sl-.
function h(tag, ...parts) {
  const bare = parts[0]?.constructor !== Object || parts[0].children;
  const { key, is, ...props } = bare ? {} : parts.shift();
  const [name, ...words] = [...tag.split("."), is].flat().filter(Boolean);
  if (words.length) props.class = words.map((word) => `sl-${word}`).join(" ");
  if (words.some((word) => QUOTED.test(word))) props.translate = "no";
  const inside = parts.flat(Infinity).filter(Boolean);
  const full = !inside.length || inside.some((part) => part.children);
  if (!full) props.text = inside.join("");
  return { name, key, props, children: full ? trees(parts) : new Map() };
}

// What stands in an element, by its tag and its key, or its place: what comes or goes moves no other.
// A text is all that its element holds. Who translates the page puts other nodes there; a new text
// takes their place.
function trees(parts, place = "", found = new Map()) {
  parts.forEach((part, n) => {
    if (Array.isArray(part)) return trees(part, `${place}${n} `, found);
    const child = part && !part.children ? h("span", part) : part;
    if (child) found.set(`${child.name} ${child.key ?? `#${place}${n}`}`, child);
  });
  return found;
}

function patch(parent, wanted) {
  const kept = (parent.slKept ??= new Map());
  let bereft = false; // whether what had the focus goes: then what comes in its place gets it
  for (const [key, node] of kept) {
    if (wanted.has(key)) continue;
    bereft ||= node.contains(document.activeElement);
    node.remove();
    kept.delete(key);
  }
  let at = parent.firstChild;
  for (const [key, child] of wanted) {
    const node = kept.get(key) ?? made(parent, child.name);
    kept.set(key, node);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    if (node.slTree !== child) update(node, child);
  }
  for (let next; at; at = next) { next = at.nextSibling; at.remove(); } // what is not ours
  if (bereft) (parent.querySelector("button") ?? cellOf(parent))?.focus();
}

const made = (parent, name) => document.createElementNS(`http://www.w3.org/${
  name === "svg" || parent.namespaceURI.endsWith("svg") ? "2000/svg" : "1999/xhtml"}`, name);

function update(node, child) {
  const before = node.slTree?.props ?? {};
  for (const name of Object.keys({ ...before, ...child.props })) {
    const value = child.props[name];
    if (PROPERTIES.test(name)) { if (node[name] !== value) node[name] = value; }
    else if (value === before[name]) continue;
    else if (name === "text") node.textContent = value ?? "";
    else if (value === undefined || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.slTree = child;
  if (child.props.text === undefined) patch(node, child.children);
}

// What `make` made for a key, as long as its mark stays: `patch` passes over the same tree.
function memo(store, key, mark, make) {
  if (store.get(key)?.mark !== mark) store.set(key, { mark, made: make() });
  return store.get(key).made;
}

const traitsOf = (model) => new Proxy({}, { get: (_, name) => model.get(name) });

// Draws now and whenever the model tells of it; returns what ends that.
function heard(model, what, draw) {
  said = model.get("words");
  draw();
  model.on(what, draw);
  return () => model.off(what, draw);
}

// JupyterLab asks for the states of all by itself; what it gets may come after what is newer.
function kept({ model }) {
  let newest = model.get("told");
  model.on("change:told", () => {
    const told = model.get("told");
    if (told < newest) model.send("state");
    newest = Math.max(newest, told);
  });
}

const cellOf = (node) => node.parentElement.closest("[tabindex]");

// JupyterLab lays out late what comes into view: then the page moves a button away between the
// pointer's down and its up, and the browser drops the press. The hand has not moved: it counts.
function insist({ target, button, pointerId, clientX, clientY }) {
  const pressed = button === 0 && target.closest("button, label, summary");
  if (pressed) addEventListener("pointerup", (up) => {
    const still = up.pointerId === pointerId && Math.hypot(up.clientX - clientX, up.clientY - clientY) < 4;
    if (still && pressed.isConnected && !pressed.contains(up.target)) pressed.click(); // not what is gone
  }, { once: true, capture: true });
}

// The place of one view. JupyterLab would take its keys: first as shortcuts, then the arrows, to
// walk from cell to cell. Only those that run a cell are JupyterLab's, and press nothing here.
function viewIn(el, kind, label) {
  const root = el.appendChild(document.createElement("section"));
  root.className = `statelab sl-${kind}`;
  [root.role, root.ariaLabel] = ["group", label];
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.onkeydown = (event) => { if (event.key.startsWith("Arrow")) event.stopPropagation(); };
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.shiftKey || event.ctrlKey || event.altKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    cellOf(root)?.focus();
    cellOf(root)?.dispatchEvent(new KeyboardEvent("keydown", event));
  }, true);
  root.onpointerdown = insist;
  return root;
}

const button = (label, icon, onclick, { is, ...props } = {}) => h("button.button",
  { type: "button", onclick, is: [icon && `icon-${icon}`, is], ...props }, label);

// One of several [value, words]. Each group is a form of its own, so that no two share a name;
// with this method, a form sends nothing.
const choice = (legend, items, chosen, onchoose, { is = "segments", disabled = false } = {}) =>
  h("form", { key: legend, is, method: "dialog" }, h("fieldset",
    is === "segments" ? { "aria-label": legend } : h("legend", legend),
    items.map(([value, words]) => h("label", { key: value }, h("input", { type: "radio", name: "choice",
      disabled, checked: value === chosen, onchange: () => onchoose(value) }), h("span", words)))));

// A sentence that is right or wrong, or neither.
const judged = (mark, words) => h("p.judged", { role: "status",
  is: [`is-${mark || "open"}`, { right: "icon-check", wrong: "icon-dead" }[mark]] }, h("span", words));

// What was predicted, and what came of it.
const compared = ({ mark, said, text, earlier }) => [said && h("p.said", said),
  text && judged(mark, text), earlier && h("p.muted", t("Earlier: {0}", earlier))];

// What stands where nothing is shown before a prediction.
const gated = (question, label, onskip) => h("div.gate",
  h("p", h("b", t("Predict first, or skip: ")), question), button(label, "", onskip));
