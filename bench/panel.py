"""The panel on a run of 50,000 events and 20 nodes, in real JupyterLab: scrub, play, branch."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench.table import Line, at_least, at_most

ROOT = Path(__file__).resolve().parents[1]
TOWN = """
from statelab import Node, NoReply, Refused, lab, scenario


class Server(Node):
    def __init__(self):
        self.count = 0

    async def handle(self, request):
        self.count += 1
        return self.count


class User(Node):
    def __init__(self, to, every_s):
        self.to, self.every_s, self.sent = to, every_s, 0

    async def run(self):
        while True:
            await self.sleep(self.every_s)
            self.sent += 1
            try:
                await self.call(self.to, "/", {"n": self.sent})
            except (Refused, NoReply):
                pass


@scenario
def town(world):
    for number in range(10):
        world.start(f"web-{number}", Server)
        world.start(f"user-{number}", User, f"web-{number}", 0.01 + 0.001 * number)


columns = {f"user-{number}": "clients" for number in range(10)}
panel = lab.Panel(town, step=21.0, columns=columns)
panel.do("wait")
panel
"""

TOOLS = """
  const field = panel.querySelector('.sl-field');
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const buttons = () => [...panel.querySelectorAll('.sl-steps button')];
  const named = (name) => buttons().find((one) => one.textContent === name);
  const look = (part) => {
    field.value = String(Math.round(Number(field.max) * part));
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
"""
SCRUB = (
    "async (panel) => {"
    + TOOLS
    + """
  const times = [];
  for (let n = 0; n < 120; n += 1) {
    const start = performance.now();
    look(((n * 37) % 120) / 120);
    void panel.offsetHeight; // the layout is part of it
    times.push(performance.now() - start);
    await frame();
  }
  return times;
}"""
)
PLAY = (
    "async (panel) => {"
    + TOOLS
    + """
  look(0.2);
  const speed = panel.querySelector('.sl-speed');
  speed.value = '16';
  speed.dispatchEvent(new Event('change'));
  named('Play').click();
  const start = performance.now();
  let frames = 0;
  while (performance.now() - start < 4000) { await frame(); frames += 1; }
  named('Pause').click();
  return frames / 4;
}"""
)
BRANCH = (
    "async (panel) => {"
    + TOOLS
    + """
  const runs = () => panel.querySelectorAll('.sl-branches label').length;
  look(0.8);
  await frame();
  const before = runs();
  const start = performance.now();
  panel.querySelector('[data-verb=kill]').click();
  await new Promise((done) => {
    const watch = new MutationObserver(() => {
      if (runs() > before && panel.querySelector('.sl-is-dead')) { watch.disconnect(); done(); }
    });
    watch.observe(panel, { subtree: true, childList: true, attributes: true });
  });
  return performance.now() - start;
}"""
)


def lines() -> list[Line]:
    """Milliseconds a step of scrubbing, frames a second, and milliseconds to a branch."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return [Line("the panel", "no Chromium here")]
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    import nbformat
    from jupyter import FLAGS, Lab, jupyterlab
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        cells = [nbformat.v4.new_code_cell(TOWN.strip(), id="town")]
        book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(book, Path(folder) / "town.ipynb")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with jupyterlab(folder) as server:
            notebook = Lab(browser, *server)
            notebook.page.emulate_media(reduced_motion="no-preference")
            notebook.open("town.ipynb")
            panel = notebook.page.locator(".sl-panel").first
            panel.locator(".sl-field").wait_for()
            panel.scroll_into_view_if_needed()
            notebook.page.wait_for_timeout(3000)  # all of it is recorded and told
            events = int(panel.locator(".sl-count").inner_text().split()[-1])
            scrub = sorted(panel.evaluate(SCRUB))
            frames = panel.evaluate(PLAY)
            branches = []
            for _ in range(5):
                branches.append(panel.evaluate(BRANCH))
                notebook.page.wait_for_timeout(1500)
                panel.get_by_role("radio", name="as it was").click()
                notebook.page.wait_for_timeout(1500)
            notebook.close()
        browser.close()
    return [
        Line("events, nodes", f"{events:,}, 20"),
        at_most("a step of scrubbing: median of 120", statistics.median(scrub), 16, "ms"),
        at_most("a step of scrubbing: 95th percentile", scrub[113], 16, "ms"),
        at_least("playing", frames, 30, "frames/s"),
        at_most("branch at event 40,000: median of 5", statistics.median(branches), 300, "ms"),
        at_most("branch at event 40,000: the slowest", max(branches), 300, "ms"),
    ]
