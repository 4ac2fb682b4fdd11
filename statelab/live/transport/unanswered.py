"""What becomes of a call that has no answer: whether it may have happened, and why."""

from __future__ import annotations

import asyncio

import h11

from statelab.effects import Call, UnknownNode
from statelab.message import NoReply, Refused
from statelab.rows import LOST, NOBODY_THERE

CLOSED, TIMED_OUT = "the world was closed", "timed out"
FAILURES = (
    OSError, UnknownNode, h11.ProtocolError, TypeError, ValueError, asyncio.CancelledError
)  # fmt: skip


def unanswered(
    wrong: BaseException, call: Call, sent: bool, port: int | None
) -> tuple[Refused | NoReply, str]:
    """The error of a call that ended by `wrong`, and why in a few words, as a row has it.

    `port` is the one that its caller must have, if any.
    """
    what, to = f"{call.method} {call.path} to {call.to}", call.to
    match wrong, sent:
        case TimeoutError(), True:
            text, why = f"no answer to {what} after {call.timeout_us / 1e6:g} s", TIMED_OUT
        case TimeoutError(), False:
            text = f"still waiting for the connection: {what} after {call.timeout_us / 1e6:g} s"
            text, why = f"{text}; it was never sent", "timed out before it was sent"
        case ConnectionRefusedError(), _:  # the relay may say so afterwards
            text, why, sent = f"nobody took {what}: {to} is dead", NOBODY_THERE, False
        case asyncio.CancelledError(), _:
            text = why = CLOSED
        case OSError(), True:
            text, why = f"{to} died during {what}", LOST
        case OSError() | UnknownNode(), False:
            why = f"port {port} is in use" if port else str(wrong)
            text = f"{what} could not be sent: {why}"
        case _, True:
            text = f"{to} gave an answer that makes no sense ({wrong!s:.200}) to {what}"
            why = "no sense"
        case _, False:
            why = f"HTTP has no form for it: {wrong}"
            text = f"{what} could not be sent: {why}"
    if sent:
        return NoReply(f"{text}: it may or may not have happened"), why
    return Refused(f"{text}; it did not happen"), why
