// What all drawings share: a tree of what should be there, and `patch`, which makes the page so.
// What has the same tag and key stays the same element, so focus and place stay too.

const ICONS = {
  up: "M6 2.2a3.8 3.8 0 1 0 0 7.6a3.8 3.8 0 1 0 0-7.6z", play: "M3.5 2.2l6 3.8l-6 3.8z",
  dead: "M2.5 2.5l7 7M9.5 2.5l-7 7", paused: "M4 2v8M8 2v8", dots: "M2 6h.01M6 6h.01M10 6h.01",
  again: "M9.6 4.2A4 4 0 1 0 10 6.6M10 1.8v2.6H7.4", check: "M2 6.5l2.7 2.7L10 3.4",
  copy: "M4.2 4.2h5.6v5.6H4.2zM2.2 7.6V2.2h5.4",
  wait: "M3 1.8h6M3 10.2h6M3.6 1.8c0 2.6 4.8 5.6 4.8 8.4M8.4 1.8c0 2.6-4.8 5.6-4.8 8.4",
  first: "M2.6 2v8M9.4 2.4L4.8 6l4.6 3.6z", last: "M9.4 2v8M2.6 2.4L7.2 6l-4.6 3.6z",
  left: "M7.8 2.2L4 6l3.8 3.8", right: "M4.2 2.2L8 6l-3.8 3.8",
};

// h("button.primary.quiet", {attributes, onclick, key}, children): classes get the prefix sl-.
function h(tag, props = {}, ...children) {
  const [name, ...words] = [...tag.split("."), ...(props.is ?? "").split(" ")].filter(Boolean);
  const classes = words.map((word) => `sl-${word}`).join(" ");
  return { name, props: classes ? { ...props, class: classes } : props,
    children: children.flat(Infinity).filter((child) => child ?? false) };
}

function patch(parent, children) {
  const kept = parent.slKept ?? new Map();
  const wanted = new Map(children.map((child, n) =>
    [typeof child === "object" ? `${child.name} ${child.props.key ?? n}` : `text ${n}`, child]));
  let bereft = false; // whether what had the focus goes: then what comes in its place gets it
  for (const [key, node] of kept) {
    if (wanted.has(key)) continue;
    bereft ||= node.contains(document.activeElement);
    node.remove();
    kept.delete(key);
  }
  let at = parent.firstChild;
  for (const [key, child] of wanted) {
    let node = kept.get(key);
    if (!node) kept.set(key, (node = made(parent, child)));
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    if (typeof child !== "object") { if (node.data !== String(child)) node.data = child; }
    else if (node.slTree !== child) update(node, child);
  }
  parent.slKept = kept;
  if (bereft) parent.querySelector("button")?.focus();
}

function made(parent, child) {
  if (typeof child !== "object") return document.createTextNode("");
  const drawn = child.name === "svg" || parent.namespaceURI?.endsWith("svg");
  return document.createElementNS(`http://www.w3.org/${drawn ? "2000/svg" : "1999/xhtml"}`, child.name);
}

function update(node, child) {
  const before = node.slTree?.props ?? {};
  for (const name of Object.keys({ ...before, ...child.props })) {
    const value = child.props[name];
    if (value === before[name] || name === "key" || name === "is") continue;
    if (name.startsWith("on")) node[name] = value;
    else if (name === "checked" || name === "value") node[name] = value;
    else if (value === undefined || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.slTree = child;
  patch(node, child.children);
}

// What `make` made for a key, as long as its mark stays: `patch` passes over the same tree.
function memo(store, key, mark, make) {
  const kept = store.get(key);
  if (kept?.mark === mark) return kept.tree;
  const tree = make();
  store.set(key, { mark, tree });
  return tree;
}

function icon(name) {
  return h("svg.icon", { viewBox: "0 0 12 12", "aria-hidden": "true", is: `icon-${name}` }, h("path", { d: ICONS[name] }));
}

function button(label, name, onclick, props = {}) {
  return h("button.button", { type: "button", onclick, ...props }, name && icon(name), label && h("span", {}, label));
}

// One of several [value, word], as buttons: arrow keys move, as in a group of radio buttons.
function segments(label, items, chosen, onchoose) {
  const onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...event.currentTarget.children];
    const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
    next.focus();
    next.click();
    event.preventDefault();
  };
  return h("div.segments", { role: "radiogroup", "aria-label": label, onkeydown }, items.map(([value, word]) =>
    h("button.segment", { key: value, type: "button", role: "radio", "aria-checked": String(value === chosen),
      tabindex: value === chosen ? "0" : "-1", onclick: () => onchoose(value) }, word)));
}

// A sentence that is right or wrong, or neither.
function judged(mark, words) {
  const name = { right: "check", wrong: "dead" }[mark];
  return h("p.judged", { role: "status", is: `is-${mark || "open"}` }, name && icon(name), h("span", {}, words));
}
