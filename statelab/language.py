"""What the package says, in the language of whoever reads it, and Korean's particles."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from statelab.message import shown

ENGLISH = "en"
KOREAN_FONTS = "'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',NanumGothic"  # one is there
_LOCALE = Path(__file__).with_name("locale")
_TEXTS = re.compile(r"""\bt\("((?:[^"\\]|\\.)*)\"""")
_catalog: Any = None  # of the language that is spoken; None for English


def languages() -> list[str]:
    """The languages there are."""
    return [ENGLISH, *sorted(path.stem for path in _LOCALE.glob("*.mo"))]


def speak(language: str) -> None:
    """From now on, the package says what people read in that language. ValueError for no such one.

    Errors of the two worlds stay English, as Python's own are.
    """
    global _catalog
    if language not in languages():
        raise ValueError(f"there is no {shown(language)}; there are {', '.join(languages())}")
    os.environ["STATELAB_LANGUAGE"] = language  # the processes of a check speak it, too
    if language == ENGLISH:
        _catalog = None
        return
    import gettext  # only who reads another language waits for it

    with (_LOCALE / f"{language}.mo").open("rb") as file:
        _catalog = gettext.GNUTranslations(file)


def spoken(text: str, /, **values: Any) -> str:
    """An English text in the language that is spoken, with its {values} put in.

    The text is written out in the call, or where it is `marked`: so the catalog knows of it.
    """
    if _catalog is None:
        return text.format(**values) if values else text
    text = text and _catalog.gettext(text)  # of the empty text a catalog has its own head
    return particles(text.format(**values) if values else text)


def print_out(text: str) -> None:
    """Prints a text, with a mark in place of each character that the output has no form for."""
    coding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(coding, "replace").decode(coding))


def marked(*texts: str) -> str:
    """The last of these texts, as it is: data that `spoken` is given when somebody reads it."""
    return texts[-1]


def texts_in(script: str) -> list[str]:
    """The texts that a drawing's script hands to its `t`, in English."""
    return _TEXTS.findall(script)


def texts_of(script: str) -> dict[str, str]:
    """What a drawing's script says, in the language that is spoken; {} in English."""
    if _catalog is None:
        return {}
    return {text: _catalog.gettext(text) for text in texts_in(script)}


# ------------------------------------------------------------------------------- Korean
# A particle has two forms: one after a final consonant, one after none. Texts have both, as in
# "web-1은(는)", and whoever shows them chooses.
_PARTICLE = re.compile(r"(은\(는\)|이\(가\)|을\(를\)|과\(와\)|으로\(로\)|이나\(나\)|이라\(라\))")
_LETTERS = {"l": 8, "m": 16, "n": 4, "r": 8}  # finals of letters by their names: 엘, 엠, 엔, 알
_DIGITS = {"0": 21, "1": 8, "3": 16, "6": 1, "7": 8, "8": 8}  # 영, 일, 삼, 육, 칠, 팔
_SOME, _RIEUL = 1, 8
# English words whose Korean sound the rules below would miss.
_WITHOUT = {"hub", "pub", "bit", "set", "loop", "check", "test", "e2e"}
_FINAL_ENDINGS = (
    (re.compile(r"(?:l|[^aeiou]le|[aeiou]le)$"), _RIEUL),  # till, table, file
    (re.compile(r"(?:m|me|n|ne|ng)$"), _SOME),  # till, game, phone
    (re.compile(r"(?:[aeiou]ck|[aeiou]p|[aeiou]b|oo?k|[aeiou]c)$"), _SOME),  # lock, shop, web
    (re.compile(r"(?:^|[^aeiou])[aeiou]t$"), _SOME),  # chat, socket; not wait
)


def particles(text: str) -> str:
    """A Korean text with each particle, such as 은(는), in the form that its word asks for."""

    def chosen(found: re.Match[str]) -> str:
        after_final, after_none = found[0].rstrip(")").split("(")
        final = _final(text[: found.start()])
        if after_final == "으로" and final == _RIEUL:
            return after_none
        return after_final if final else after_none

    return _PARTICLE.sub(chosen, text)


def _final(before: str) -> int:
    """The final consonant of the last sound, by its number in Unicode's order; 0 for none."""
    before = re.sub(r"(?:\([^()]*\)|[\s\"'`“”‘’\]»*}])+$", "", before)
    if not before:
        return 0
    last = before[-1]
    if "가" <= last <= "힣":
        return (ord(last) - ord("가")) % 28
    if last.isdecimal():
        return _DIGITS.get(last, 0)
    word = re.search(r"[A-Za-z]*$", before)[0]  # type: ignore[index]
    if len(word) == 1 or word.isupper():  # read by its letters
        return _LETTERS.get(word[-1:].lower(), 0)
    if word.lower() in _WITHOUT:
        return 0
    return next((final for ending, final in _FINAL_ENDINGS if ending.search(word.lower())), 0)


if os.environ.get("STATELAB_LANGUAGE", "") not in ("", ENGLISH):
    speak(os.environ["STATELAB_LANGUAGE"])
