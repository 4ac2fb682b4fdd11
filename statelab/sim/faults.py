"""Faults of the links of a simulated world. Each works on both directions unless it says not."""

from __future__ import annotations

from statelab.checked import bounds_us, checked_name, checked_shares
from statelab.effects import WrongState
from statelab.sim.inputs import verb
from statelab.sim.link import Link


class LinkFaults:
    """The verbs of a world that concern a link between two names, nodes or clients."""

    @verb
    def partition(self, a: str, b: str) -> None:
        """Cuts the link: what arrives on it vanishes until `heal`.

        Raises WrongState if it is cut already, UnknownNode.
        """
        links = self._links(a, b)
        if links[0].cut is not None:
            raise WrongState(f"the link between {a} and {b} is cut already")
        seq = self._record("partition", a, 0, b, None, None, None)
        for link in links:
            link.cut, link.blocked = seq, True

    @verb
    def heal(self, a: str, b: str) -> None:
        """Ends a partition. Raises WrongState if there is none."""
        links = self._links(a, b)
        if links[0].cut is None:
            raise WrongState(f"the link between {a} and {b} is not cut, so it cannot heal")
        self._record("heal", a, 0, b, None, None, None)
        for link in links:
            link.cut, link.blocked = None, link.held is not None

    @verb
    def hold(self, a: str, b: str) -> None:
        """Keeps what arrives on the link until `release`. Raises WrongState if it is held."""
        links = self._links(a, b)
        if links[0].held is not None:
            raise WrongState(f"the link between {a} and {b} is held already")
        self._record("hold", a, 0, b, None, None, None)
        for link in links:
            link.held, link.blocked = [], True

    @verb
    def release(self, a: str, b: str) -> None:
        """Ends a hold: what was held arrives, in its order. Raises WrongState if none is."""
        links = self._links(a, b)
        if links[0].held is None:
            raise WrongState(f"the link between {a} and {b} is not held")
        self._record("release", a, 0, b, None, None, None)
        for link in links:
            for arrive, what in link.release():
                self._clock.at(self._clock.now_us + 1, arrive, what)

    @verb
    def lose_next(self, a: str, b: str) -> None:
        """Loses the next request or reply that goes from `a` to `b`, this way only."""
        link = self._links(a, b)[0]
        link.lose.append(self._record("lose_next", a, 0, b, None, None, None))

    @verb
    def link(
        self,
        a: str,
        b: str,
        latency: float | list[float] | tuple[float, float] = (0.001, 0.002),
        loss: float = 0.0,
        duplicate: float = 0.0,
    ) -> None:
        """Sets the link's latency, loss and duplication.

        `latency` is in seconds: one number, or the bounds of an even spread. `loss` and
        `duplicate` are shares of messages, from 0 to 1.
        """
        links = self._links(a, b)
        low_us, high_us = bounds_us(latency)
        checked_shares(loss=loss, duplicate=duplicate)
        for link in links:
            link.low_us = low_us or 1
            link.span_us = max(high_us, link.low_us) - link.low_us + 1
            link.loss, link.duplicate = loss, duplicate
        bounds = latency if isinstance(latency, (tuple, list)) else (latency, latency)
        self._record("link", a, 0, b, None, None, (*bounds, loss, duplicate))

    def _links(self, a: str, b: str) -> tuple[Link, Link]:
        for name in (a, b):
            if checked_name(name, "somebody") not in self.names:
                self._host(name)
        if a == b:
            raise ValueError(f"{a} has no link to itself")
        return self._network.link(a, b), self._network.link(b, a)
