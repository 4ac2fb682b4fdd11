"""Runs notebooks in clean kernels and stores their outputs, for `python3 lab.py record`."""

import os
import sys
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebook_kernels import REFERENCE_PYTHON, private_transport, remove_sockets

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class PrivateKernelManager(AsyncKernelManager):
    """Starts its kernel on a private transport."""

    def __init__(self, **settings):
        super().__init__(**settings, **private_transport())


def record(path):
    """Return the notebook at the path with fresh outputs; CellExecutionError if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        kernel_name="python3",
        kernel_manager_class=PrivateKernelManager,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return clean(notebook)


def clean(notebook):
    """Remove what differs between two runs or two machines and says nothing."""
    notebook.metadata.kernelspec = KERNELSPEC
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # Without a kernel its model is gone, and viewers show an error instead of the picture
            # or text that stands beside it.
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def write(notebook, path):
    """Replace the file in one step."""
    fresh = path.with_name(f".{path.name}.new")
    nbformat.write(notebook, fresh)
    os.replace(fresh, path)


def main(paths):
    """Record all the notebooks; write none unless all succeed."""
    if sys.version_info[:2] != REFERENCE_PYTHON:
        python = "python{}.{}".format(*REFERENCE_PYTHON)
        return f"Outputs are compared on one Python only: run {python} lab.py record."
    recorded = []
    try:
        for path in paths:
            print(f"recording {path.name}", flush=True)
            recorded.append((record(path), path))
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return f"{path.name} failed: nothing was written. Mend the cell above, then record again."
    finally:
        remove_sockets()
    for notebook, path in recorded:
        write(notebook, path)
    print(f"stored the outputs of {len(recorded)} notebook(s)")
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
