(root) => {
  // What a picture of a view must not lose, measured in the page: sentences, none if all is well.
  const found = [];
  const rgba = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number);
    return numbers.length === 3 ? [...numbers, 1] : numbers;
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => {
      const s = c / 255;
      return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const clip = (node, box) => {
    let { left, top, right, bottom } = box;
    for (let at = node; at && root.contains(at); at = at.parentElement) {
      if (getComputedStyle(at).overflow === "visible") continue;
      const edge = at.getBoundingClientRect();
      left = Math.max(left, edge.left); right = Math.min(right, edge.right);
      top = Math.max(top, edge.top); bottom = Math.min(bottom, edge.bottom);
    }
    return { left, top, right, bottom };
  };

  const texts = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.textContent.trim() || !parent.checkVisibility()) continue;
    const style = getComputedStyle(parent);
    const below = behind(parent);
    const ink = over(rgba(style.color), below);
    const [a, b] = [light(ink), light(below)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    const words = node.textContent.trim().slice(0, 30);
    if (/^(true|false|null|undefined|NaN)$/.test(words)) found.push(`it says “${words}”`);
    if (contrast < 4.5) found.push(`“${words}” has a contrast of ${contrast.toFixed(2)}`);
    if (parseFloat(style.fontSize) < 12) found.push(`“${words}” is set in ${style.fontSize}`);
    const range = document.createRange();
    range.selectNodeContents(node);
    const tops = new Set([...range.getClientRects()].map((rect) => Math.round(rect.top)));
    if (/^\S{2,12}$/.test(node.textContent.trim()) && tops.size > 1) found.push(`“${words}” is broken`);
    for (const rect of range.getClientRects()) {
      const box = clip(parent, rect);
      if (box.right - box.left > 1 && box.bottom - box.top > 1) texts.push({ words, box, node });
    }
  }
  for (let i = 0; i < texts.length; i += 1) {
    for (let j = i + 1; j < texts.length; j += 1) {
      const [a, b] = [texts[i], texts[j]];
      if (a.node === b.node) continue;
      const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (wide > 2 && high > 4) found.push(`“${a.words}” lies over “${b.words}”`);
    }
  }
  const edge = root.getBoundingClientRect();
  for (const { words, box } of texts) {
    if (box.left < edge.left || box.right > edge.right + 1) found.push(`“${words}” sticks out`);
  }
  const columns = [...root.querySelectorAll(".sl-columns")]; // their stage cuts off what sticks out
  const cut = columns.some((one) => one.offsetWidth > one.parentElement.clientWidth + 1);
  if (cut || root.scrollWidth > root.clientWidth + 1) found.push("it is wider than its place");
  for (const button of root.querySelectorAll("button, [role=radio], input")) {
    if (!button.checkVisibility()) continue;
    const named = button.textContent.trim() || button.ariaLabel || button.labels?.length;
    if (!named) found.push("a control has no name");
    const box = button.getBoundingClientRect();
    if (button.tagName === "BUTTON" && box.height < 24) found.push(`“${button.textContent}” is ${box.height} px high`);
  }
  const controls = [...root.querySelectorAll("button, summary, select, input")]
    .filter((one) => one.checkVisibility() && !one.closest(".sl-menu"))
    .map((one) => ({ name: one.ariaLabel || one.textContent, box: clip(one, one.getBoundingClientRect()) }));
  controls.forEach((a, n) => {
    for (const b of controls.slice(n + 1)) {
      const wide = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const high = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (wide > 1 && high > 1) found.push(`“${b.name}” covers “${a.name}”`);
    }
  });
  for (const node of root.querySelectorAll("[id]")) found.push(`it has a fixed id, ${node.id}`);
  return [...new Set(found)];
}
