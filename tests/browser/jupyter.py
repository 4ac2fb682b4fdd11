"""A JupyterLab of its own and a Chromium that looks at it, for browser tests and bench/click.py."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing outside is there; whoever asks for it, also a worker, which no test sees, must fail.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}

# Waiting for the idle indicator fails one time in two: it is idle before the kernel is there, too.
OPEN = """async (path) => {
  const app = window.jupyterapp;
  await app.restored;
  const widget = await app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
  await widget.context.ready;
  await widget.context.sessionContext.ready;
  await widget.context.sessionContext.session.kernel.info;
}"""
# As one finds it when the kernel is gone.
OPEN_WITHOUT_KERNEL = """async (path) => {
  const widget = await window.jupyterapp.commands.execute('docmanager:open', { path,
    factory: 'Notebook', kernelPreference: { shouldStart: false, canStart: false } });
  await widget.context.ready;
}"""
SAVE = "() => window.jupyterapp.shell.currentWidget.context.save()"
# Whether that notebook, of these cells, is open and has its kernel.
IS_OPEN = """([path, ids]) => {
  const { context, content } = window.jupyterapp.shell.currentWidget ?? {};
  const kernel = context?.sessionContext?.session?.kernel;
  return context?.path === path && kernel?.connectionStatus === 'connected'
    && [...content.model.cells].map((cell) => cell.id).join() === ids.join();
}"""
CLEAR = """async () => {
  const { commands, shell } = window.jupyterapp;
  await commands.execute('notebook:clear-all-cell-outputs');
  shell.currentWidget.content.mode = 'command';
  shell.currentWidget.content.activeCellIndex = 0;
}"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
CLOSE = """async () => {
  const widget = window.jupyterapp.shell.currentWidget;
  if (!widget?.context) return;
  await widget.context.sessionContext.shutdown();
  widget.context.model.dirty = false;
  widget.close();
}"""
# Words that no view says: they are what a drawing writes where it has nothing. Places count, too.
VIEWS = ".statelab, .statelab *, .widget-html-content *"
STRAYS = """(views) => [...document.querySelectorAll(views)].flatMap((one) =>
  [...one.attributes, ...one.childNodes].filter((part) =>
    part.nodeType !== Node.ELEMENT_NODE && /\\b(NaN|undefined|null)\\b/.test(part.nodeValue))
  .map((part) => `${one.tagName.toLowerCase()} ${part.nodeName}: ${part.nodeValue}`))"""
CELLS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
  .filter((cell) => cell.type === 'code')
  .map((cell) => ({ id: cell.id, count: cell.executionCount, outputs: cell.outputs.toJSON() }))"""


@contextlib.contextmanager
def jupyterlab(folder):
    """Runs a JupyterLab whose root is `folder`; gives its address and its first page."""
    posix = os.name == "posix"
    # Not in TMPDIR: the path of a kernel's socket must stay under some 100 characters.
    settings = Path(tempfile.mkdtemp(prefix="statelab-lab-", dir="/tmp" if posix else None))
    notification = settings / "s/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    notification.parent.mkdir(parents=True)
    notification.write_text(json.dumps(NO_NEWS), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    variables = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(settings),
        "JUPYTERLAB_SETTINGS_DIR": str(settings / "s"),
        "JUPYTERLAB_WORKSPACES_DIR": str(settings / "w"),
        "IPYTHONDIR": str(settings / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(settings / "r"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    if posix:  # elsewhere there is TCP only
        # A TCP port is chosen before it is bound: on a busy machine another may have it by then,
        # the kernel dies at its start, and the page waits for it.
        command += ["--KernelManager.transport=ipc"]
    with open(settings / "log", "wb") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api/status?token={token}", process, settings / "log")
        yield address, f"lab?token={token}&reset"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(settings, ignore_errors=True)


def _wait_for(url, process, log):
    for _ in range(1200):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url).close()
            return
        except urllib.error.HTTPError as early:
            early.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab does not start:\n{log.read_text()[-2000:]}")


class Lab:
    """JupyterLab in one page, which opens one notebook at a time; a new page takes seconds.

    `first` is its own page; that of the browser edition is another.
    """

    def __init__(self, browser, address, first):
        self.errors = []
        self.foreign = []
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        self.page = page = context.new_page()
        page.set_default_timeout(300_000)  # a bound for hangs: it says nothing of how fast it is
        page.on("console", self._said)
        page.on("pageerror", self._failed)
        page.on("request", self._asked)
        page.goto(f"{address}/{first}")
        page.wait_for_function("window.jupyterapp?.shell")
        page.evaluate("() => window.jupyterapp.restored.then(() => {})")
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")

    def _failed(self, error):
        # JupyterLab and its extensions stumble over a notebook without a kernel or page; its files
        # lie in static/, those of JupyterLite in build/. What our drawings had a part in has a
        # module of theirs, a blob, in its stack.
        stack = error.stack or ""
        if not ("/static/" in stack or "/build/" in stack) or "blob:" in stack:
            self.errors.append(f"{error}\n{error.stack}")

    def _said(self, message):
        url = message.location.get("url", "")
        # JupyterLab asks for a picture before it has found where that is; then it asks again.
        early = urlsplit(url).path.startswith(("/pictures/", "/lab/pictures/"))
        # Its debugger complains when a kernel ends soon after it has begun.
        ended = message.text.startswith("Could not restore the debugger state")
        # JupyterLab activates a notebook that was closed meanwhile. What throws while a message is
        # handed on is said here, with its stack; `_failed` has the rest.
        closed = "_ensureFocus" in message.text and "blob:" not in message.text
        if message.type == "error" and not (early or ended or closed):
            self.errors.append(f"{message.text} ({url})")

    def _asked(self, request):
        url = urlsplit(request.url)
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def open(self, path):
        """Opens a notebook with a kernel of its own, in the light theme, and runs it to its end."""
        self._as_at_first()
        self.page.evaluate(OPEN, path)
        self.run_all()

    def has_open(self, path, ids):
        """Whether the notebook that is open is that one, has its kernel, and cells of these ids."""
        return self.page.evaluate(IS_OPEN, [path, ids])

    def run_anew(self):
        """Clears the open notebook's outputs, and runs it in the kernel that it has."""
        self._as_at_first()
        self.page.evaluate(CLEAR)
        self.page.wait_for_function("() => !document.querySelector('.jp-Notebook .statelab')")
        self.run_all()

    def _as_at_first(self):
        self.theme("Light")
        self.page.set_viewport_size({"width": 1400, "height": 1000})

    def run_all(self):
        """Runs all cells; returns when they have run."""
        self.page.evaluate(RUN_ALL)

    def save_and_open_without_kernel(self, path):
        """Saves the open notebook, which is `path`, ends its kernel, and opens it without one."""
        self.page.evaluate(SAVE)
        self.close()
        self.page.evaluate(OPEN_WITHOUT_KERNEL, path)

    def close(self):
        """Ends the open notebook's kernel and closes it, if one is open."""
        self.page.evaluate(CLOSE)

    def cells(self):
        """The code cells' ids, counts and outputs, as the page has them."""
        return self.page.evaluate(CELLS)

    def strays(self):
        """Where a view of ours says NaN, undefined or null."""
        return self.page.evaluate(STRAYS, VIEWS)

    def unfold(self):
        """Opens all folded parts."""
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:expand-all-headings')"
        )

    def theme(self, name):
        """Changes JupyterLab's theme to 'Light' or 'Dark'."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {name}",
        )
        light = str(name == "Light").lower()
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
