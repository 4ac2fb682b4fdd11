"""The faults of links that the simulated world has and the live one has not, and why."""

from __future__ import annotations

from typing import Any, NoReturn


class LinkFaults:
    """Nothing stands between two live nodes yet that could keep, cut or lose what they say."""

    def partition(self, *_: Any, **__: Any) -> NoReturn:
        """No partition: all nodes share one machine's loopback, which cannot be cut in two."""
        _absent("partition", "its nodes share one machine's loopback: pause a node instead")

    def heal(self, *_: Any, **__: Any) -> NoReturn:
        """No heal, for there is no partition."""
        _absent("heal", "there is no partition to heal")

    def hold(self, *_: Any, **__: Any) -> NoReturn:
        """No hold: nothing stands on the way that could keep a message."""
        _absent("hold", "nothing stands on the way that could keep a message: pause the receiver")

    def release(self, *_: Any, **__: Any) -> NoReturn:
        """No release, for there is no hold."""
        _absent("release", "nothing is held")

    def lose_next(self, *_: Any, **__: Any) -> NoReturn:
        """No loss: TCP sends again whatever the network loses, as long as both ends live."""
        _absent("lose_next", "TCP sends again what is lost: kill or pause the receiver instead")

    def link(self, *_: Any, **__: Any) -> NoReturn:
        """No setting of a link: its latency is the real one, and TCP repairs loss."""
        _absent("link", "its latency is the real one, and TCP repairs loss")


def _absent(verb: str, why: str) -> NoReturn:
    raise NotImplementedError(f"a live world has no {verb}: {why}; the simulated World has it")
