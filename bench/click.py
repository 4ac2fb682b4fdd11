"""A click on *kill* or *restart*, to the changed page: in real JupyterLab, in both worlds."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench.table import Line, at_most

ROOT = Path(__file__).resolve().parents[1]
CLICKS = 40
PANEL = ".sl-panel >> nth=0"

# The time runs inside the page, from the click to the first change of the node's status.
MEASURE = """async (panel, clicks) => {
  const card = panel.querySelector('.sl-card:has([data-verb])');
  const status = () => card.querySelector('.sl-status').className;
  const shown = (word) => card.querySelector(`[data-verb=${word}]`);
  const times = [];
  for (let i = 0; i < clicks; i++) {
    const word = status().includes('is-dead') ? 'restart' : 'kill';
    const before = status();
    const start = performance.now();
    await new Promise((done) => {
      const watcher = new MutationObserver(() => {
        if (status() !== before) { watcher.disconnect(); done(); }
      });
      watcher.observe(panel, { subtree: true, childList: true, attributes: true });
      shown(word).click();
    });
    if (word === 'kill') times.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 150));
  }
  return times;
}"""


def lines() -> list[Line]:
    """The median and the 95th percentile of the clicks on kill, in each world."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return [Line("click to page", "no Chromium here")]
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from jupyter import FLAGS, Lab, jupyterlab
    from playwright.sync_api import sync_playwright

    found = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shutil.copytree(ROOT / "notebooks", Path(folder) / "notebooks")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with jupyterlab(folder) as server:
            notebook = Lab(browser, *server)
            notebook.open("notebooks/00_start_here.ipynb")
            panel = notebook.page.locator(".sl-panel").first
            panel.scroll_into_view_if_needed()
            panel.get_by_role("button", name="Skip the prediction").click()
            for name in ("Simulated", "Live"):
                if name == "Live":
                    live = notebook.page.get_by_role("radio", name="Live")
                    panel = notebook.page.locator(".sl-panel").filter(has=live).first
                    panel.scroll_into_view_if_needed()
                    panel.get_by_role("radio", name="Live").click()
                    panel.get_by_text("pid ").first.wait_for()
                panel.locator(".sl-card:has([data-verb=kill])").first.wait_for()
                times = sorted(panel.evaluate(MEASURE, 2 * CLICKS))
                median, late = statistics.median(times), times[int(0.95 * len(times))]
                world = name.lower()
                found.append(at_most(f"{world}: median of {len(times)}", median, 60, "ms"))
                found.append(at_most(f"{world}: 95th percentile", late, 100, "ms"))
            notebook.close()
        browser.close()
    return found
