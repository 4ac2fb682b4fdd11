"""The picture of a sequence of steps: gives each a place, then draws it.

Down the page is the order of events, with their times at the left: equal steps, not equal times.
No text lies on another: each step has its own height, and its texts their own gaps and heights.
"""

from __future__ import annotations

from statelab.diagrams import svg
from statelab.diagrams.reader import Reading
from statelab.diagrams.steps import Arrow, Failure, Fault, Note, Span, Step
from statelab.diagrams.svg import Canvas, shortened, width
from statelab.diagrams.words import clean, to_the_ms, what_is_left

GUTTER, TOP, NARROW, WIDE = 76, 20, 104, 250
MARGIN = 340  # the most that notes right of the last lane take
LONG_US = 200_000  # between two steps: so long that the picture says so

COLOURS = {
    "request": svg.INK,
    "answer": svg.ANSWERED,
    "failed": svg.FAILED,
    "waiting": svg.WAITING,
    "life": svg.MEMORY,
    "memory": svg.MEMORY,
    "disk": svg.DISK,
    "said": svg.MUTED,
    "error": svg.FAILED,
}


class Picture:
    """Places the steps, then draws them."""

    def __init__(self, steps: Reading, title: str, left_out: int):
        self.steps = steps
        self.title = title
        self.left_out = left_out
        self.canvas = Canvas()
        self.names = [shortened(clean(name), "name", WIDE - 40) for name in steps.names]
        self.gaps = self._gaps()
        self.x = self._lanes()
        self.y: dict[Step, float] = {}
        self.bottom = self._rows()

    # --------------------------------------------------------------------------- places
    def _head(self, lane: int) -> float:
        caption = width(self.steps.captions[lane], "small")
        return min(WIDE - 16, max(72, width(self.names[lane], "name"), caption) + 24)

    def _gaps(self) -> list[float]:
        """How wide each gap right of a lane must be for the texts in it."""
        gaps = [
            max(NARROW, (self._head(lane) + self._head(lane + 1)) / 2 + 12)
            for lane in range(len(self.names) - 1)
        ] + [0.0] * bool(self.names)

        def need(gap: int, wide: float) -> None:
            gaps[gap] = min(WIDE if gap < len(gaps) - 1 else MARGIN, max(gaps[gap], wide))

        for arrow in self.steps.arrows:
            need(self._gap(arrow), width(arrow.label, "label") + 36)
            need(self._gap(arrow), width(arrow.caption, "data") + 28)
            if arrow.end != "head":
                need(self._gap(arrow, arrow.where), 2 * width(arrow.word, "word") + 44)
        for note in self.steps.notes:
            need(note.lane, width(note.text, _font(note)) + 36)
        for outcome in self.steps.outcomes:
            gap = _beside(outcome.lane, outcome.server)
            need(gap, max(width(outcome.word, "word") + 64, width(outcome.caption, "small") + 28))
        for fault in self.steps.faults:
            need(fault.ends[0], width(fault.text, "word") + 28)
        return gaps

    def _lanes(self) -> list[float]:
        if not self.names:
            return []
        x = [GUTTER + 8 + self._head(0) / 2]
        for gap in self.gaps[:-1]:
            x.append(x[-1] + gap)
        return [float(round(place)) for place in x]

    def _rows(self) -> float:
        captioned = {arrow.first for arrow in self.steps.arrows if arrow.caption}
        captioned |= {arrow.last for arrow in self.steps.arrows if arrow.where == "receiver"}
        captioned |= {outcome.step for outcome in self.steps.outcomes if outcome.caption}
        y, before = TOP + 84.0, None
        for step in self.steps.steps:
            y += 18 if before is not None and step.time_us - before.time_us >= LONG_US else 0
            self.y[step] = y + 22
            y += 50 if step in captioned else 38
            before = step
        return y + 8

    def _gap(self, arrow: Arrow, where: str = "") -> int:
        if where == "receiver":
            return _beside(arrow.receiver, arrow.sender)
        if where == "wall":
            return min(arrow.sender, arrow.receiver)
        return _beside(arrow.sender, arrow.receiver)

    def _middle(self, gap: int) -> float:
        return self.x[gap] + self.gaps[gap] / 2

    # --------------------------------------------------------------------------- drawing
    def drawn(self, description: str) -> str:
        """The SVG."""
        right = self.x[-1] + max(self.gaps[-1], self._head(len(self.x) - 1) / 2) if self.x else 0
        left = what_is_left(self.steps.left, self.left_out)
        wide = 12 + max(right, 20 + max(width(text, "title") for text in [self.title, *left]), 320)
        high = self.bottom + 12 + 20 * len(left)
        for span in sorted(self.steps.spans, key=lambda span: span.style == "busy"):
            self._span(span)
        for draw, items in (
            (self._arrow, self.steps.arrows),
            (self._outcome, self.steps.outcomes),
            (self._note, self.steps.notes),
            (self._fault, self.steps.faults),
        ):
            for item in items:
                draw(item)
        for lane in range(len(self.names)):
            self._lane_head(lane)
        self._times()
        self.canvas.text(20, TOP + 12, self.title, "title")
        if not self.steps.steps:
            self.canvas.text(20, self.bottom, "nothing has happened yet", "small", svg.MUTED)
        for place, text in enumerate(left):
            self.canvas.text(20, self.bottom + 10 + 20 * place, text, "small", svg.MUTED)
        return self.canvas.svg(round(wide), round(high), self.title, description)

    def _lane_head(self, lane: int) -> None:
        x, wide = self.x[lane], self._head(lane)
        is_client = self.steps.captions[lane] in ("client", "")
        colour = svg.MUTED if is_client else svg.MEMORY
        self.canvas.box(round(x - wide / 2), TOP + 28, round(wide), 44, colour)
        self.canvas.text(x, TOP + 47, self.names[lane], "name", anchor="middle")
        caption = shortened(self.steps.captions[lane], "small", wide - 12)
        self.canvas.text(x, TOP + 63, caption, "small", svg.MUTED, "middle")

    def _times(self) -> None:
        before = None
        for step in self.steps.steps:
            y = self.y[step]
            if before is not None and step.time_us - before.time_us >= LONG_US:
                for dot in (-34, -28, -22):
                    self.canvas.path(f"M{GUTTER - 34} {svg.number(y + dot)}h2", svg.MUTED, 2)
            time = to_the_ms(step.time_us)
            if before is None or time != to_the_ms(before.time_us):
                self.canvas.text(GUTTER - 8, y + 4, time, "data", svg.MUTED, "end")
            before = step

    def _span(self, span: Span) -> None:
        top = TOP + 72 if span.first is None else self.y[span.first]
        end = self.bottom if span.last is None else self.y[span.last]
        x = self.x[span.lanes[0]]
        if span.style in ("partition", "hold"):
            colour = svg.FAILED if span.style == "partition" else svg.WAITING
            x = self._middle(span.lanes[0])
            top += 14 if span.first else 0
            end -= 16 if span.last else 0
            self.canvas.line(x, top, x, end, colour, 2, "2 5")
        elif span.style == "busy":
            self.canvas.box(x - 4, top, 8, end - top, svg.MEMORY, fill=svg.BUSY, round=2)
        elif span.style == "paused":
            self.canvas.line(x, top, x, end, svg.WAITING, 2, "6 6")
        elif span.style == "client":
            self.canvas.line(x, top, x, end, svg.LINE, 2)
        else:
            self.canvas.line(x, top, x, end, svg.MEMORY, 2)

    def _arrow(self, arrow: Arrow) -> None:
        gap = self._gap(arrow)
        colour = COLOURS[arrow.kind]
        way = -1 if arrow.receiver < arrow.sender else 1
        start, end = self.x[arrow.sender] + 5 * way, self.x[arrow.receiver] - 5 * way
        if arrow.sender == arrow.receiver:
            start, end, way = start + 40, start, -1
        y, last = self.y[arrow.first], self.y[arrow.last]
        if arrow.end == "head":
            self.canvas.arrow(start, y, end, last, colour)
            if arrow.word:
                x, anchor = end - 12 * way, "end" if way > 0 else "start"
                self.canvas.text(x, last - 10, arrow.word, "word", colour, anchor)
        else:
            end = self._stop(arrow, way)
            self.canvas.line(start, y, end, last, colour)
            sign, tone = ("cross", "failed") if arrow.end == "cross" else ("ring", "waiting")
            self.canvas.icon(sign, end, last, COLOURS[tone])
            anchors = ("start", "end") if way > 0 else ("end", "start")
            if arrow.where == "receiver":
                x, anchor, down = end + 6 * way, anchors[1], 18
            else:
                x, anchor, down = end + 10 * way, anchors[0], 4
            self.canvas.text(x, last + down, arrow.word, "word", COLOURS[tone], anchor)
        self._label(arrow, gap, y, colour)

    def _label(self, arrow: Arrow, gap: int, y: float, colour: str) -> None:
        middle, room = self._middle(gap), self.gaps[gap] - 20
        failed = 14 if arrow.kind == "failed" and arrow.label else 0
        label = shortened(arrow.label, "label", room - failed)
        if failed:
            x = middle - width(label, "label") / 2 - 6
            self.canvas.path(_small_cross(round(x), round(y) - 14), colour, 2)
        self.canvas.text(middle + failed / 2, y - 10, label, "label", colour, "middle")
        caption = shortened(arrow.caption, "data", room)
        taken = arrow.where == "receiver" and arrow.first is arrow.last
        if caption and not (taken and gap == self._gap(arrow, "receiver")):
            self.canvas.text(middle, y + 17, caption, "data", svg.MUTED, "middle")

    def _stop(self, arrow: Arrow, way: int) -> float:
        """Where a message that did not arrive stops."""
        if arrow.where in ("wall", "middle"):
            return self._middle(self._gap(arrow, arrow.where))
        if arrow.where == "receiver":
            return self.x[arrow.receiver] - way * 14
        return self.x[arrow.receiver] - way * (width(arrow.word, "word") + 24)

    def _outcome(self, outcome: Failure) -> None:
        gap = _beside(outcome.lane, outcome.server)
        y, middle = self.y[outcome.step], self._middle(gap)
        wide = width(outcome.word, "word") + 34
        dash = "" if outcome.word == "refused" else "4 3"
        way = 1 if outcome.server >= outcome.lane else -1
        if outcome.told:
            x = self.x[outcome.server] - 5 * way
            self.canvas.line(x, y, middle, y, svg.FAILED, 1.5, "4 3")
        self.canvas.arrow(middle, y, self.x[outcome.lane] + 5 * way, y, svg.FAILED, "4 3")
        self.canvas.box(middle - wide / 2, y - 11, wide, 22, svg.FAILED, dash=dash)
        self.canvas.path(_small_cross(round(middle - wide / 2 + 13), round(y)), svg.FAILED, 2)
        self.canvas.text(middle + 9, y + 4, outcome.word, "word", svg.FAILED, "middle")
        caption = shortened(outcome.caption, "small", self.gaps[gap] - 20)
        self.canvas.text(middle, y + 25, caption, "small", svg.MUTED, "middle")

    def _note(self, note: Note) -> None:
        x, y = self.x[note.lane], self.y[note.step]
        colour, font = COLOURS[note.style], _font(note)
        text = shortened(note.text, font, self.gaps[note.lane] - 28)
        if note.frame:
            dash = "4 3" if note.frame == "dashed" else ""
            self.canvas.line(x + 2, y, x + 10, y, colour, 1)
            self.canvas.box(x + 10, y - 10, width(text, font) + 12, 20, colour, dash=dash, round=3)
        if note.icon:
            self.canvas.icon(note.icon, x, y, colour)
        self.canvas.text(x + (16 if note.frame else 14), y + 4, text, font, colour)

    def _fault(self, fault: Fault) -> None:
        gap, y = fault.ends[0], self.y[fault.step]
        text = shortened(fault.text, "word", self.gaps[gap] - 20)
        self.canvas.text(self._middle(gap), y + 4, text, "word", COLOURS[fault.style], "middle")


def _beside(lane: int, other: int) -> int:
    """The gap beside `lane` on the side of `other`."""
    return lane - 1 if other < lane else lane


def _font(note: Note) -> str:
    return "data" if note.frame else "small" if note.style in ("said", "error") else "word"


def _small_cross(x: int, y: int) -> str:
    return f"M{x - 3} {y - 3}L{x + 3} {y + 3}M{x - 3} {y + 3}L{x + 3} {y - 3}"
