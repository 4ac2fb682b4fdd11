"""Faults of the links of a live world. Each works on both directions unless it says not.

With its first fault a link begins to lead through the link proxy (relay/main.py). Connections that
are open then stay open, and `request.peer` stays the caller's own port.
"""

from __future__ import annotations

from statelab.checked import bounds_us, checked_shares
from statelab.live.driver.driver import Driver


class LiveLinkFaults:
    """The verbs of a live world that concern a link between two names: nodes, clients, engines.

    They raise NotImplementedError where no connection can be handed from process to process, as on
    Windows.
    """

    _driver: Driver

    def partition(self, a: str, b: str) -> None:
        """Cuts the link: what arrives on it vanishes until `heal`.

        A connection that has lost bytes stays silent until one end closes it, after `heal` too:
        TCP itself would have sent them again. Raises WrongState if the link is cut already,
        UnknownNode.
        """
        self._block("partition", a, b)

    def heal(self, a: str, b: str) -> None:
        """Ends a partition. Raises WrongState if there is none."""
        self._block("heal", a, b)

    def hold(self, a: str, b: str) -> None:
        """Keeps what arrives on the link until `release`. Raises WrongState if it is held."""
        self._block("hold", a, b)

    def release(self, a: str, b: str) -> None:
        """Ends a hold: what was held arrives, in its order. Raises WrongState if none is."""
        self._block("release", a, b)

    def lose_next(self, a: str, b: str) -> None:
        """Loses the next request or reply that goes from `a` to `b`, this way only.

        So does an intermediary that takes a message and dies; what the network loses, TCP sends
        again. On a link to an engine, the next bytes are lost.
        """
        self._driver.loop.do(self._driver.links.lose_next(a, b))

    def link(
        self,
        a: str,
        b: str,
        latency: float | list[float] | tuple[float, float] = (0.001, 0.002),
        loss: float = 0.0,
        duplicate: float = 0.0,
    ) -> None:
        """Sets the link's latency, which comes on top of the real one.

        `latency` is in seconds: one number, or the bounds of an even spread; bytes never overtake
        one another. Raises NotImplementedError for a `loss` or `duplicate` above 0.
        """
        bounds = tuple(bound / 1_000_000 for bound in bounds_us(latency))
        checked_shares(loss=loss, duplicate=duplicate)
        if loss or duplicate:
            raise NotImplementedError(
                "a live link has no share of loss or duplication, for TCP repairs both: lose one "
                "message with lose_next, or use the simulated World"
            )
        self._driver.loop.do(self._driver.links.delay(a, b, bounds))

    def _block(self, verb: str, a: str, b: str) -> None:
        self._driver.loop.do(self._driver.links.block(verb, a, b))
