"""Pictures of the main panels at their decisive moments: python -m browser.pictures FOLDER [NAME].

Run it in tests/. It says how high each is while one presses, and saves it in both themes at two
widths.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from browser.jupyter import FLAGS, ROOT, Lab, jupyterlab
from browser.kernel import in_kernel

# A panel's name in its lesson: what is done in it, as `Panel.do` takes it; a number waits so often.
DAYS = {
    "00_start_here": {
        "panel": ["alice: log in", "bob: log in", "kill web-a", "kill web-b", "restart web-a",
                  "restart web-b", "alice: open profile", "bob: open profile"],
        "panel_2": ["alice: log in", "kill web", "restart web", "alice: open profile"]},
    "01_state": {"panel": [
        "alice: walk", *["alice: hit"] * 2, "kill game", "restart game", "alice: hit",
        "alice: loot"]},
    "02_determinism": {"panel": [
        *["alice: dig"] * 3, "kill right", "restart right", "alice: dig"]},
    "03_stateful_or_stateless": {
        "panel_1": ["alice: counter: one more", "alice: counter: one more",
                    "kill counter", "restart counter", "alice: counter: one more"],
        "panel_2": ["alice: web-1: log in", "alice: web-1: an apple", "alice: web-2: an apple",
                    "kill web-1", "restart web-1", "alice: web-1: how many?"]},
    "04_authentication": {
        "panel_1": ["alice: log in", "alice: profile", "alice: leave", "alice-mobile: profile",
                    "bob: profile"],
        "panel_session": ["alice: log in", "alice: new connection", "kill web", "restart web",
                          "alice: profile"],
        "panel_2": ["alice: log in", "alice: log out", "alice: profile"],
        "panel_3": ["alice: log in", "kill web", "restart web", "alice: profile"]},
    "05_many_servers": {
        "panel_1": ["alice: add tea", "kill shop-1"],
        "panel_2": ["alice: open a chat with bob", *["alice: list my chats"] * 2],
        "panel_3": ["alice: open a chat with bob", *["bob: look at her list"] * 2]},
    "06_hard_and_soft_state": {
        "panel_1": ["alice: log out (until-logout)", "alice: log out (until-idle)", 1,
                    "kill office-pc", "alice: my page (until-logout)",
                    "alice: my page (until-idle)"],
        "panel_2": [1, "kill writer-2", 1, "restart writer-2", 2],
        "panel_soft": [1, "kill writer-2", 2],
        "panel_3": ["bob: is alice online?"] * 5},
    "07_write_lease": {
        "panel_1": [1, "alice: bill by writer-1", "kill writer-1", "restart writer-1",
                    "alice: bill by writer-1", "alice: bill by writer-2"],
        "panel_2": ["alice: bill by writer-1", "pause writer-1", 2, "alice: bill by writer-2", 2,
                    "resume writer-1"],
        "panel_3": ["alice: bill by writer-1", "pause writer-1", 2, "resume writer-1"]},
    "08_sharing_state": {
        "panel_1": ["bob: give alice a coin", "bob: look at alice", "kill central",
                    "restart central", 2, "bob: look at alice"],
        "panel_2": ["alice: win a coin", "kill game-1", "bob: give alice a coin"],
        "panel_3": ["alice: ride", "kill worker-1", 4]},
    "09_replicas": {
        "panel_1": ["alice: 3 cups come in", "alice: 3 cups come in", 1, "hold original replica",
                    "operator: DELETE, no WHERE", "operator: read the original",
                    "operator: read the replica"],
        "panel_2": ["lose_next original replica", "alice: count: 10 cups", "alice: sell 4 cups"],
        "panel_3": [1, "hold original replica", 3, "kill original",
                    "operator: promote the replica", "operator: read the replica"]},
    "10_capstone": {"panel_1": [2, "pause web-1", 2, "resume web-1", 4]},
}  # fmt: skip


def done(panel, what):
    """The lines of Python that do it."""
    if isinstance(what, int):
        return [f"{panel}.do('wait')"] * what
    client, _, label = what.partition(": ")
    args = ("action", label, client) if label else tuple(what.split())
    return [f"{panel}.do{args!r}"]


def picture(notebook, name, panel, steps, folder):
    """Does the steps; saves the pictures, and says how high the panel was."""
    page = notebook.page
    place = in_kernel(notebook, f"{panel}.title")
    view = page.locator(f".sl-panel[aria-label={place!r}]").first
    in_kernel(notebook, f"{panel}.do('skip')")
    view.locator(".sl-card").first.wait_for()
    high = "(view) => view.getBoundingClientRect().height"
    heights = [view.evaluate(high)]
    for line in [line for what in steps for line in done(panel, what)]:
        if line := in_kernel(notebook, f"[{line}, {panel}.error][1]"):
            print(f"  {name} {panel}: {line}")
        page.wait_for_timeout(60)
        heights.append(view.evaluate(high))
    for width in (1400, 800):
        page.set_viewport_size({"width": width, "height": 2000})
        for theme in ("Light", "Dark"):
            notebook.theme(theme)
            view.scroll_into_view_if_needed()
            page.wait_for_timeout(600)
            view.screenshot(path=folder / f"{name[:2]}-{panel}-{width}-{theme.lower()}.png")
    page.set_viewport_size({"width": 1400, "height": 900})
    first, most, last = (round(h) for h in (heights[0], max(heights), heights[-1]))
    print(f"{name[:2]} {panel:9} {first} px at first, {most} at most, {last} at last", flush=True)


def main(folder, *names):
    """Pictures of these lessons, or of all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        shutil.copytree(ROOT / "notebooks", Path(root) / "notebooks")
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with jupyterlab(root) as server:
            notebook = Lab(browser, *server)
            notebook.page.emulate_media(reduced_motion="reduce")
            for name, panels in DAYS.items():
                if names and name[:2] not in names:
                    continue
                notebook.open(f"notebooks/{name}.ipynb")
                notebook.unfold()
                notebook.page.set_viewport_size({"width": 1400, "height": 900})
                for panel, steps in panels.items():
                    picture(notebook, name, panel, steps, folder)
                print(*notebook.strays(), *notebook.errors, sep="\n", end="")
                notebook.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
