"""A server that somebody runs already: makes, or removes, what one world may touch there.

`python -m statelab.engines.outside make redis NAMESPACE`, with the server's address in the
environment, where no list of processes shows it. The warden removes when its world has ended, so
that a namespace too does not outlive the kernel.
"""

from __future__ import annotations

import os
import re
import sys

from statelab.engines import ENGINES, Engine
from statelab.engines.engine import Command
from statelab.message import said

ADDRESS = "STATELAB_OUTSIDE"


def command(verb: str, engine: type[Engine], address: str, namespace: str) -> Command:
    """What makes or removes (`verb`) a namespace in the server at that address."""
    name = next(name for name, known in ENGINES.items() if issubclass(engine, known))
    argv = [sys.executable, "-P", "-m", "statelab.engines.outside", verb, name, namespace]
    return Command(argv, {"env": {ADDRESS: address}})


def main(verb: str, name: str, namespace: str) -> None:
    """Does what the arguments say; exits with a sentence if that fails."""
    engine, address = ENGINES[name], os.environ[ADDRESS]
    try:
        getattr(engine, verb)(address, namespace)
    except Exception as wrong:
        why = said(wrong)
        for secret in (address, *re.findall(r":([^:@]+)@", address)):  # as a library may quote it
            why = why.replace(secret, "…")
        sys.exit(f"the server of {engine.variable} cannot be used: {why}")


if __name__ == "__main__":
    main(*sys.argv[1:])
