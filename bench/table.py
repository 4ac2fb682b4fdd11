"""The bench's one table: what was promised, what was measured, and whether that is kept."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line of the table; `kept` is None where nothing was promised."""

    what: str
    figure: str
    target: str = ""
    kept: bool | None = None


def at_least(what: str, value: float, target: float, unit: str = "×") -> Line:
    """A line whose figure should be `target` or more."""
    return Line(what, f"{value:.2f} {unit}", f"≥ {target:g} {unit}", value >= target)


def at_most(what: str, value: float, target: float, unit: str) -> Line:
    """A line whose figure should be `target` or less."""
    return Line(what, f"{value:.3g} {unit}", f"≤ {target:g} {unit}", value <= target)


def show(title: str, lines: list[Line]) -> None:
    """Prints a part of the table at once, so that a long bench is seen to go on."""
    print(f"\n{title}")
    for what, figure, target, kept in lines:
        verdict = {None: "", True: "ok", False: "MISSED"}[kept]
        print(f"  {what:<52} {figure:>22}  {target:>12}  {verdict}".rstrip(), flush=True)
