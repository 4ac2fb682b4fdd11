"""The words of a panel: times, statuses, values, and what has just happened."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from statelab.checked import MAX_SECONDS
from statelab.effects import UnknownNode, WrongState
from statelab.language import marked, spoken
from statelab.message import NoReply, Refused, text_of
from statelab.node import Soft
from statelab.rows import Exchange, Row
from statelab.sim.run_code import RunCodeError
from statelab.words import ordinal

marked("refused", "no reply", "waiting", "not sent")  # how a request ends that was not answered
_PLAIN_ERRORS = (WrongState, RunCodeError, Refused, NoReply, UnknownNode, ValueError)
MOST_TEXT = 1000  # characters of an error: more would hide what it says


# What XML has no form for, and so no picture: control characters and half characters.
_UNSHOWN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """A text as a picture can say it."""
    return _UNSHOWN.sub("\ufffd", text)


def clock(time: float) -> str:
    """Seconds as a learner reads them: 2.0 s, 2.25 s."""
    text = f"{time:.2f}"
    return spoken("{number} s", number=text[:-1] if text.endswith("0") else text)


def status_word(status: int) -> str:
    """A status with its phrase: 401 Unauthorized."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def outcome_word(exchange: Exchange) -> str:
    """What became of a request: 200 OK, refused, no reply, waiting."""
    return spoken(exchange.outcome) if exchange.status is None else status_word(exchange.status)


def sentence(wrong: BaseException) -> str:
    """An error in one sentence."""
    is_unknown = isinstance(wrong, UnknownNode) and wrong.args
    text = (str(wrong.args[0]) if is_unknown else text_of(wrong)) or ""
    text = text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
    if isinstance(wrong, _PLAIN_ERRORS) and text:  # what they say is the sentence
        return text + ("" if text[-1] in ".!?" else ".")
    return f"{type(wrong).__name__}: {text}" if text else f"{type(wrong).__name__}."


# ------------------------------------------------------------------------------- values
class _Short(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.maxstring = 22
        self.maxother = 40
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 8
        self.maxlevel = 4

    def repr_instance(self, value: Any, level: int) -> str:
        text = repr(value)  # what it raises is no text, and its address differs at each run
        return text if len(text) <= self.maxother else text[: self.maxother - 1] + "…"

    def repr_int(self, value: int, level: int) -> str:
        repr(value)  # raises for 5,000 digits; reprlib tells an address then, since Python 3.14
        return super().repr_int(value, level)

    def repr_Soft(self, value: Soft, level: int) -> str:
        kept = self.repr1(value.value, level - 1)
        return spoken("{value} until {time}", value=kept, time=clock(value.until))


_short = _Short()
_PLAIN = (type(None), bool, int, float)


def brief(value: Any) -> str:
    """A value as one short text."""
    try:
        return repr(value) if type(value) in _PLAIN else _short.repr(value).replace("...", "…")
    except Exception:  # of an integer of 5,000 digits, or a class of the learner's
        return spoken("a {kind}", kind=type(value).__name__)


def cut(value: Any, most: int) -> str:
    """A value as one short text, and text without its quotes."""
    if not isinstance(value, str):
        return brief(value)
    return value if len(value) <= most else value[: most - 1] + "…"


class _OnCard(_Short):
    def repr_float(self, value: float, level: int) -> str:
        text = repr(value)
        return text if len(text) <= 6 or "e" in text else f"{value:.1f}"


_on_card = _OnCard()
TWO_LINES = 44  # characters: about two lines of a card


def on_card(value: Any) -> str:
    """A value as a card shows it: of a long list how many entries, and the last one."""
    try:
        text = _on_card.repr(value).replace("...", "…")
    except Exception:
        return spoken("a {kind}", kind=type(value).__name__)
    if len(text) > TWO_LINES and type(value) in (list, tuple) and len(value) > 2:
        last = value[-1]
        words = " ".join(map(str, last)) if isinstance(last, (list, tuple)) else on_card(last)
        return spoken("{number} entries, last: {last}", number=len(value), last=cut(words, 40))
    return text


def answer_text(body: Any) -> str:
    """What was answered, on two or three lines."""
    if isinstance(body, dict) and list(body) == ["error"]:
        body = body["error"]
    return cut(body, 120) if isinstance(body, str) else on_card(body)


def holder_in(value: Any) -> str:
    """Who has what a value stands for: a name in it, or the value itself."""
    if isinstance(value, Mapping):
        names = (value.get(key) for key in ("holder", "owner", "server"))
        value = next((name for name in names if isinstance(name, str)), value)
    return value if isinstance(value, str) else on_card(value)


def in_full(value: Any) -> str:
    """A value as a text of 400 characters at the most."""
    try:
        text = repr(value)
    except Exception:
        return brief(value)
    return text if len(text) <= 400 else text[:399] + "…"


def parts(name: str, value: Any) -> Iterable[tuple[str, Any, float]]:
    """The lines of one attribute, each as (its name, its value, until when, in s, or 0).

    What expires has a line of its own, also within a dict, and so has each of a client's ports.
    """
    if type(value) is Soft:
        yield name, value.value, _until(value)
    elif isinstance(value, Mapping) and any(type(item) is Soft for item in value.values()):
        for key, item in value.items():
            line = f"{name}[{cut(key, 12)}]"
            yield (line, item.value, _until(item)) if type(item) is Soft else (line, item, 0.0)
    else:
        yield name, value, 0.0


def _until(soft: Soft) -> float:
    """Until when it holds, or 0 if that is no time."""
    until = soft.until
    return float(until) if isinstance(until, (int, float)) and abs(until) <= MAX_SECONDS else 0.0


# ------------------------------------------------------------------------------- events
TELLS = {
    "kill": lambda row: spoken("was killed"),
    "crash": lambda row: spoken("died of {why}", why=row.data),
    "pause": lambda row: spoken("was paused: requests wait"),
    "resume": lambda row: spoken("goes on"),
    "start": lambda row: spoken(
        "began its {nth} life, with a new memory", nth=ordinal(row.life), number=row.life
    ),
    "partition": lambda row: spoken("is cut off from {other}", other=row.other),
    "heal": lambda row: spoken("reaches {other} again", other=row.other),
    "hold": lambda row: spoken("is held: nothing passes to or from {other}", other=row.other),
    "release": lambda row: spoken(
        "is released: what was said to and from {other} goes on", other=row.other
    ),
    "lose_next": lambda row: spoken("will lose what it says next to {other}", other=row.other),
    "receive": lambda row: spoken("gets what {other} sent a second time", other=row.other),
    "drop": lambda row: spoken(
        "does not get what {other} sent: {why}", other=row.other, why=spoken(row.data)
    ),
    "skipped": lambda row: spoken("skipped: {what}", what=row.data[-1]),
}


# ------------------------------------------------------------------------------- captions
def new_memory(row: Row) -> str:
    """What stands above the memory of a later life."""
    return spoken("memory · new at {time}", time=_whole(row))


def lost_memory(row: Row) -> str:
    """What stands above the memory of who has died."""
    return spoken("memory · lost at {time}", time=_whole(row))


def _whole(row: Row) -> str:
    return clock(row.time).replace(" ", "\N{NO-BREAK SPACE}")
