"""A trace as a sequence of steps: what a sequence diagram shows, before anything has a place.

Rules of this file:

1. One step is one event worth a line of its own, and they follow one another as in the trace.
2. A message arrives in the step of its sending if nothing happened at its receiver in between, and
   it was not long on its way; else in a step of its own, and its arrow slants.
3. It reads rows and knows nothing of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partialmethod

from statelab.diagrams.steps import Arrow, Failure, Fault, Message, Note, Span, Step
from statelab.diagrams.words import DROPS, clean, nested, speed, worded
from statelab.language import marked, spoken
from statelab.rows import LOST, NOBODY_THERE, Row
from statelab.words import which_life

LEVEL_US = 50_000  # longer on its way than this, and an arrow slants


class _Full(Exception):
    """There is no room for one more step."""


class Reading:
    """What rows, from `start_us` on, come to for the lanes of these `names`; at most `limit`."""

    def __init__(self, rows: Sequence[Row], names: Sequence[str], start_us: int, limit: int):
        self.names = names
        self.steps: list[Step] = []
        self.arrows: list[Arrow] = []
        self.notes: list[Note] = []
        self.outcomes: list[Failure] = []
        self.faults: list[Fault] = []
        self.spans: list[Span] = []
        self.captions = [""] * len(names)  # of the lanes: a class, or "client"
        self.shown: list[Row] = []  # the rows that say what is drawn
        self.left = 0  # rows that found no room
        self._limit = limit
        self._lane = {name: lane for lane, name in enumerate(names)}
        self._latest: dict[int, int] = {}  # by lane: the place of the last step that it is in
        self._open: dict[tuple, Span] = {}  # by a lane's name, or (fault, a, b)
        self._busy: dict[str, dict[int, list[Span]]] = {}  # by name, and by a request's number
        self._requests: dict[int, Message] = {}  # by their number
        self._given_up: set[int] = set()  # their numbers
        self._replies: dict[int, list[Message]] = {}  # by their request's number
        self._read(rows, start_us)

    def _read(self, rows: Sequence[Row], start_us: int) -> None:
        for place, row in enumerate(rows):
            known = row.node in self._lane and (row.other is None or row.other in self._lane)
            read = getattr(self, f"_{row.kind}", None) if known else None
            if read is None:
                continue
            self._row = row
            self._early = row.time_us < start_us
            try:
                read(row)
            except _Full:
                self.left = len(rows) - place
                break
            if not self._early and row.kind not in ("receive", "reply"):
                self.shown.append(row)
        self._read_ends()

    def _read_ends(self) -> None:
        """Draws what has not arrived."""
        under_way = list(self._requests.values())
        for number, replies in self._replies.items():
            if number in self._given_up:  # nobody records how these end in the live world
                late = [reply for reply in replies if not reply.arrived and reply.step]
                for reply in late:
                    self._arrow(
                        reply, reply.step, end="cross", word=spoken("too late"), where="receiver"
                    )
            under_way += replies
        for message in under_way:
            if not message.arrived and message.step is not None:
                self._arrow(message, message.step, end="open", word=self._why_under_way(message))

    # --------------------------------------------------------------------------- steps and arrows
    def _step(self, *names: str) -> Step | None:
        """A new step for the row being read; None for a row before the first step."""
        if self._early:
            return None
        if len(self.steps) >= self._limit:
            raise _Full
        step = Step(self._row.time_us, {self._lane[name] for name in names}, len(self.steps))
        self._latest.update(dict.fromkeys(step.lanes, step.place))
        self.steps.append(step)
        return step

    def _arrival(self, message: Message, *, touches: bool = True) -> Step | None:
        """The step in which a message ends: that of its sending, if rule 2 lets it."""
        lane = self._lane[message.receiver]
        sent = message.step
        level = sent is not None and not message.arrived and message.sender != message.receiver
        if level and self._row.time_us - sent.time_us <= LEVEL_US:
            latest = self._latest.get(lane, -1)
            if not touches or latest <= sent.place:
                sent.lanes.add(lane)
                self._latest[lane] = max(latest, sent.place)
                return sent
        return self._step(message.receiver)

    def _arrow(self, message: Message, step: Step | None, **end: str) -> None:
        if step is not None:
            again, first = message.arrived, message.step or step
            ends = self._lane[message.sender], self._lane[message.receiver]
            texts = ("", "") if again else (message.label, message.caption)
            end = end or {"word": spoken("again") if again else ""}
            self.arrows.append(Arrow(first, step, *ends, *texts, message.kind, **end))
        message.arrived = True

    def _why_under_way(self, message: Message) -> str:
        if self.left:
            return "…"
        ends = {message.sender, message.receiver}
        if any(key[0] == "hold" and ends == set(key[1:]) for key in self._open if len(key) == 3):
            return spoken("held")
        life = self._open.get((message.receiver,))
        paused = life is not None and life.style == "paused"
        return spoken("waits") if paused else spoken("under way")

    # --------------------------------------------------------------------------- lives
    def _begin(self, key: tuple, lanes: tuple[int, int], step: Step | None, style: str) -> None:
        self._open[key] = Span(lanes, step, style)
        self.spans.append(self._open[key])

    def _end(self, key: tuple, step: Step | None) -> None:
        self._finish(self._open.pop(key, None), step)

    def _finish(self, span: Span | None, step: Step | None) -> None:
        if span is not None and step is None:
            self.spans.remove(span)
        elif span is not None:
            span.last = step

    def _life(self, row: Row, step: Step | None, style: str) -> None:
        lane = self._lane[row.node]
        self._end((row.node,), step)
        self._begin((row.node,), (lane, lane), step, style)

    def _note(self, row: Row, text: str, style: str, icon="", frame="") -> Step | None:
        step = self._step(row.node)
        if step is not None:
            self.notes.append(Note(step, self._lane[row.node], text, style, icon, frame))
        return step

    def _start(self, row: Row) -> None:
        lived = f", {which_life(row.life)}" if self._early and row.life > 1 else ""
        self.captions[self._lane[row.node]] = clean(row.data) + lived
        if row.life == 1 and (row.time_us == 0 or not self._requests):
            self._life(row, None, "up")
        else:
            text = spoken("starts") if row.life == 1 else which_life(row.life)
            self._life(row, self._note(row, text, "life", "dot"), "up")

    def _client(self, row: Row) -> None:
        if (row.node,) not in self._open:
            self.captions[self._lane[row.node]] = spoken("client")
            self._life(row, None, "client")

    def _kill(self, row: Row) -> None:
        text = (
            spoken("killed")
            if row.kind == "kill"
            else spoken("crashed: {why}", why=clean(row.data))
        )
        step = self._note(row, text, "failed", "cross")
        self._end((row.node,), step)
        for spans in self._busy.pop(row.node, {}).values():
            for span in spans:
                self._finish(span, step)

    _crash = _kill

    def _pause(self, row: Row) -> None:
        self._life(row, self._note(row, spoken("paused"), "waiting", "pause"), "paused")

    def _resume(self, row: Row) -> None:
        self._life(row, self._note(row, spoken("resumed"), "waiting", "play"), "up")

    # --------------------------------------------------------------------------- messages
    def _send(self, row: Row) -> None:
        self._requests[row.message] = self._request(row, self._step(row.node))

    def _request(self, row: Row, step: Step | None) -> Message:
        method, path, body, _ = row.data
        caption = "" if body is None else clean(worded(body))
        label = clean(f"{method} {path}")
        return Message(step, row.node, row.other, label, caption, "request", row.seq)

    def _receive(self, row: Row) -> None:
        message = self._requests.get(row.message)
        if message is None:
            return
        step = self._arrival(message)
        self._arrow(message, step)
        lane = self._lane[row.node]
        self.spans.append(Span((lane, lane), step, "busy"))
        self._busy.setdefault(row.node, {}).setdefault(row.message, []).append(self.spans[-1])

    def _reply(self, row: Row) -> None:
        status, body, _ = row.data
        step = self._step(row.node)
        caption = "" if body is None else clean(worded(body))
        kind = "answer" if status < 400 else "failed"
        reply = Message(step, row.node, row.other, str(status), caption, kind, row.seq)
        self._replies.setdefault(row.message, []).append(reply)
        works = self._busy.get(row.node, {}).get(row.message)
        self._finish(works.pop(0) if works else None, step)

    def _answer(self, row: Row) -> None:
        for message in self._replies.get(row.message, ()):
            if message.seq == row.cause:
                self._arrow(message, self._arrival(message))

    def _drop(self, row: Row) -> None:
        message = self._requests.get(row.message)
        if message is None or (row.node, row.other) != (message.receiver, message.sender):
            replies = self._replies.get(row.message, [None])
            message = next((r for r in replies if r and not r.arrived), replies[-1])
        if message is not None:
            word, where = DROPS.get(row.data, (clean(row.data), "receiver"))
            step = self._arrival(message, touches=where == "receiver")
            self._arrow(message, step, end="cross", word=spoken(word), where=where)

    def _fails(self, row: Row, word: str, told: str) -> None:
        step = self._step(row.node)
        self._given_up.add(row.message)
        if step is not None:
            caption = "" if row.data == NOBODY_THERE else clean(spoken(row.data))
            lane, server = self._lane[row.node], self._lane[row.other]
            failure = Failure(step, lane, server, spoken(word), caption, row.data == told)
            self.outcomes.append(failure)

    _refused = partialmethod(_fails, word=marked("refused"), told=NOBODY_THERE)
    _noreply = partialmethod(_fails, word=marked("no reply"), told=LOST)

    # --------------------------------------------------------------------------- what nodes do
    def _error(self, row: Row) -> None:
        if row.data.partition(":")[0] not in ("Refused", "NoReply"):  # seen at the call that failed
            self._note(row, spoken("raised {what}", what=clean(row.data)), "error")

    def _log(self, row: Row) -> None:
        self._note(row, f"“{clean(row.data)}”", "said")

    def _disk(self, row: Row) -> None:
        key, *value = row.data
        text = f"{key} = {nested(value[0])}" if value else spoken("{key} erased", key=key)
        self._note(row, clean(text), "disk", frame="solid")

    def _memory(self, row: Row) -> None:
        life = self._open.get((row.node,))
        if life is not None and life.style != "client":
            changed, went = row.data
            texts = [f"{name} = {nested(value)}" for name, value in changed.items()]
            text = ", ".join([*texts, *(spoken("{name} gone", name=name) for name in went)])
            self._note(row, clean(text), "memory", frame="dashed")

    def _skipped(self, row: Row) -> None:
        self._note(row, spoken("skipped: {what}", what=clean(str(row.data[0]))), "said")

    # --------------------------------------------------------------------------- links
    def _wall(self, row: Row, style: str) -> None:
        step = self._fault(row, spoken(row.kind), style)
        self._begin((row.kind, *sorted((row.node, row.other))), self._ends(row), step, row.kind)

    _partition = partialmethod(_wall, style="failed")
    _hold = partialmethod(_wall, style="waiting")

    def _gate(self, row: Row, wall: str, text: str, style: str) -> None:
        step = self._fault(row, spoken(text), style)
        self._end((wall, *sorted((row.node, row.other))), step)

    _heal = partialmethod(_gate, wall="partition", text=marked("healed"), style="failed")
    _release = partialmethod(_gate, wall="hold", text=marked("released"), style="waiting")

    def _lose_next(self, row: Row) -> None:
        self._fault(row, spoken("the next to {other} is lost", other=row.other), "waiting")

    def _link(self, row: Row) -> None:
        if row.time_us:  # how the links were made at the start is the scenario's business
            self._fault(row, spoken("link: {speed}", speed=speed(*row.data)), "waiting")

    def _fault(self, row: Row, text: str, style: str) -> Step | None:
        step = self._step(row.node, row.other)
        if step is not None:
            self.faults.append(Fault(step, self._ends(row), clean(text), style))
        return step

    def _ends(self, row: Row) -> tuple[int, int]:
        low, high = sorted((self._lane[row.node], self._lane[row.other]))
        return low, high
