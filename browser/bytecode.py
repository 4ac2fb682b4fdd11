"""Adds bytecode to what a browser's Python imports, beside the source: run in that Python.

It keeps no files from one visit to the next, and would compile all that it imports each time: a
third of the time to the first panel.
"""

import compileall
import shutil
import sysconfig
import tempfile
from pathlib import Path
from py_compile import PycInvalidationMode

FOLDER = Path("/pyodide")  # bytecode.mjs


def compiled(archive: Path, home: str, *, beside: bool) -> None:
    """Compiles what is in a zip that will be at `home`; in a zip it lies beside its source."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(archive, folder, "zip")
        how = {"stripdir": folder, "prependdir": home, "legacy": beside, "quiet": 2}
        compileall.compile_dir(folder, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH, **how)
        made = shutil.make_archive(f"{tempfile.gettempdir()}/{archive.name}", "zip", folder)
    shutil.move(made, archive)


for wheel in FOLDER.glob("*.whl"):
    compiled(wheel, sysconfig.get_path("purelib"), beside=False)
library = FOLDER / "python_stdlib.zip"
compiled(library, f"/lib/python{sysconfig.get_config_var('py_version_nodot')}.zip", beside=True)
