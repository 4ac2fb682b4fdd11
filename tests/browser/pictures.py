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
    "00_start_here": {"panel": [
        "alice: log in", "bob: log in", "kill web-a", "kill web-b", "restart web-a",
        "restart web-b", "alice: open profile", "bob: open profile"]},
    "01_state": {"panel": [
        "alice: walk", *["alice: hit"] * 4, "kill game", "restart game", "alice: hit",
        "alice: loot"]},
    "02_determinism": {"panel": [
        *["alice: dig"] * 3, "kill right", "alice: dig", "restart right",
        "operator: feed right again"]},
    "03_stateful_or_stateless": {
        "panel_1": ["alice: price", "alice: price", "alice: one more visitor",
                    "alice: one more visitor", "kill counter", "restart counter",
                    "alice: one more visitor"],
        "panel_2": ["alice: login (web-1)", "alice: an apple (web-1)", "alice: an apple (web-2)",
                    "kill web-1", "restart web-1", "alice: how many? (web-1)"]},
    "04_authentication": {
        "panel_1": ["alice: log in", "alice: profile", "alice: new connection", "alice: profile",
                    "alice: log in", "kill web", "restart web", "alice: profile"],
        "panel_2": ["alice: log in", "alice: log out", "alice: profile",
                    "mallory: alice's token, renamed", "mallory: alice's old token"]},
    "05_many_servers": {
        "panel_1": ["alice: add tea", "bob: add rice", "kill shop-2", "alice: look", "bob: look"],
        "panel_2": ["alice: open a chat with bob", *["alice: list my chats"] * 3]},
    "06_hard_and_soft_state": {
        "panel_1": ["alice: log out (until-logout)", "alice: log out (for-30-s)", 6,
                    "alice: profile (until-logout)", "alice: profile (for-30-s)"],
        "panel_2": [2, "kill writer-1", 1, "restart writer-1", 4],
        "panel_3": [6, "bob: is alice online?"]},
    "07_write_lease": {
        "panel_1": ["alice: bill by writer-1", "kill writer-1", "alice: bill by writer-2", 1,
                    "alice: bill by writer-2", 3],
        "panel_2": ["alice: bill by writer-1", "pause writer-1", 2, "alice: bill by writer-2", 2,
                    "resume writer-1"],
        "panel_3": ["alice: bill by writer-1", "pause writer-1", 2, "alice: bill by writer-2", 2,
                    "resume writer-1"]},
    "08_sharing_state": {
        "panel_1": ["bob: give alice a coin", "bob: look at alice", "kill central",
                    "bob: look at alice", "restart central", 3, "bob: look at alice"],
        "panel_3": ["alice: win a coin", "kill game-1", "bob: give alice a coin", "restart game-1",
                    4, "bob: look at alice"]},
    "09_replicas": {
        "panel_1": ["alice: 3 cups come in", "alice: sell a cup", "operator: DELETE, no WHERE", 1,
                    "operator: read the replica"],
        "panel_2": ["alice: 3 cups come in", "lose_next original replica",
                    "alice: count: 10 cups", 1, "alice: sell a cup", 1],
        "panel_3": [3, "hold original replica", 6, "kill original",
                    "operator: promote the replica", "operator: read the replica"]},
    "10_capstone": {"panel_2": [4, "pause web-1", 1]},
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
