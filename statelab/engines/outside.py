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
        for secret in _secrets(address):
            why = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", why)
        sys.exit(f"the server of {engine.variable} cannot be used: {why}")


def _secrets(address: str) -> list[str]:
    """What a library may quote of an address that nobody else is to see: also parts of a password.

    One that has a / in it ends there for who reads it as a URL, and is taken for a port.
    """
    found = re.search(r"(?://|^(?!\w+://))[^:@/]*:(.*)@", address, re.DOTALL)
    password = found[1] if found else ""
    secrets = {address, password, *re.split(r"\W+", password)}
    return sorted(filter(str.strip, secrets), key=len, reverse=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
