"""Whether what became of a request is as it should be: a lesson says it, or else its status."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

from statelab.lab.words import cut, sentence
from statelab.language import spoken
from statelab.rows import Exchange, Row, Rows

Expected = Callable[[Rows, Exchange], bool | int | str]


class Expectation:
    """Asks `expected(rows, request)`, if there is one; `wrong` is what it raised, as a sentence."""

    def __init__(self, expected: Expected | None = None):
        self._expected = expected
        self.says = expected is not None
        self.wrong = ""

    def due(self, rows: Rows, first: Row, last: Row) -> str | None:
        """Says what should have come of the request that ends with `last`, the latest row.

        None if it came out as it should, '' if it did not and nobody says what was due.
        """
        by_status = None if last.kind == "answer" and 200 <= last.data[0] < 300 else ""
        if self._expected is None:
            return by_status
        request = Rows([last] if first is last else [first, last]).request(last.node)
        try:
            due = self._expected(rows, request)
            if isinstance(due, str | Integral) and not isinstance(due, bool):
                if due in ("", request.status):
                    return None if due else ""
                return spoken("should be {due}", due=cut(str(due), 60))
            return None if due else ""
        except BaseException as wrong:  # nobody would see it, and SystemExit would end the kernel
            self.wrong = spoken(
                "It could not be told whether this is as it should be: {why}", why=sentence(wrong)
            )
            return by_status
