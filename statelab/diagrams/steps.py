"""What a sequence diagram is made of: its steps, and what is drawn in each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Step:
    """One line of the diagram. `lanes` are those where something happens in it."""

    time_us: int
    lanes: set[int]
    place: int  # from 0 on


@dataclass(eq=False)
class Arrow:
    """A request or a reply. Its end is a 'head', a 'cross' (it got no further), or 'open'."""

    first: Step
    last: Step
    sender: int
    receiver: int
    label: str
    caption: str
    kind: str  # 'request', 'answer' or 'failed'
    end: str = "head"
    word: str = ""
    where: str = ""  # of a cross: 'middle', 'receiver' or 'wall'


@dataclass(eq=False)
class Note:
    """A word or two beside a lane, with a sign on it; a `frame` is 'solid' or 'dashed'."""

    step: Step
    lane: int
    text: str
    style: str
    icon: str = ""
    frame: str = ""


@dataclass(eq=False)
class Failure:
    """How a call failed, at its caller. `told` says whether the server's side told it."""

    step: Step
    lane: int
    server: int
    word: str
    caption: str
    told: bool


@dataclass(eq=False)
class Fault:
    """What is done to the link between two lanes."""

    step: Step
    ends: tuple[int, int]
    text: str
    style: str


@dataclass(eq=False)
class Span:
    """What lasts: a life ('client', 'up', 'paused'), work ('busy'), a wall ('partition', 'hold').

    It goes from the top if `first` is None, and to the bottom if `last` is.
    """

    lanes: tuple[int, int]
    first: Step | None
    style: str
    last: Step | None = None


@dataclass(eq=False)
class Message:
    """A request or a reply under way; `step` is None if it was sent before the first step."""

    step: Step | None
    sender: str
    receiver: str
    label: str
    caption: str
    kind: str
    seq: int
    arrived: bool = False
