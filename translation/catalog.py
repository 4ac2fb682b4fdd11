"""A catalog: a gettext PO file with a translation for each unit, and which of them are stale."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import denormalize, read_po, write_po

from translation.units import Unit

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')


def read(path: Path, language: str) -> Catalog:
    """The catalog in that file; an empty one if there is none yet."""
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    # Babel writes of which English a fuzzy translation was, and does not read it.
    for entry in path.read_text(encoding="utf-8").split("\n\n"):
        was = [line[3:] for line in entry.splitlines() if line.startswith("#| ")]
        if was:
            (message,) = (one for one in read_po(entry.splitlines()) if one.id)
            english = denormalize("\n".join(_QUOTED.findall(" ".join(was))))
            catalog.get(message.id, message.context).previous_id = [english]
    return catalog


def write(path: Path, catalog: Catalog) -> None:
    """Writes it so that equal catalogs are equal files."""
    catalog.header_comment = ""
    with path.open("wb") as file:
        write_po(file, catalog, width=0, omit_header=True, include_previous=True)


def timeless(catalog: Catalog) -> Catalog:
    """The catalog without the time at which it was read, which its compiled form would hold."""
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    return catalog


def updated(catalog: Catalog, units: Iterable[Unit]) -> Catalog:
    """A catalog of these units with what `catalog` has of them.

    A unit that has changed keeps its translation, marked fuzzy, with the English that it was of;
    one that has only moved, as a page's blocks do, keeps it as it is.
    """
    old = {_key(message): message for message in catalog if message.id}
    moved = {message.id: message for message in old.values()}
    fresh = Catalog(locale=catalog.locale)
    for unit in units:
        known = old.get(unit.key)
        if known is None or known.id != unit.text:  # a block before it is new, say
            known = moved.get(unit.text, known)
        flags, previous = set(), ()
        if known and known.string:
            stale = known.id != unit.text
            flags = {"fuzzy"} if stale or known.fuzzy else set()
            if flags:  # whoever has mended it takes the mark away, and no more
                previous = (known.id,) if stale else known.previous_id
        context = None if unit.kind == "words" else unit.key
        said = known.string if known else ""
        fresh.add(unit.text, said, flags=flags, previous_id=previous, context=context,
                  auto_comments=[unit.kind])  # fmt: skip
    return fresh


def said(catalog: Catalog) -> dict[str, str]:
    """The translations that there are and are not stale, by their keys."""
    return {_key(one): one.string for one in catalog if one.id and one.string and not one.fuzzy}


def missing(catalog: Catalog, units: Iterable[Unit]) -> list[str]:
    """What is not translated, or stale, as sentences; each names its unit."""
    entries = {_key(one): one for one in catalog if one.id}
    found = []
    for unit in units:
        one = entries.pop(unit.key, None)
        if one is None or not one.string:
            found.append(f"{unit.key} is not translated")
        elif one.id != unit.text or one.fuzzy:
            found.append(f"{unit.key} is stale: its English has changed")
    return found + [f"{key} is translated, and is no more" for key in entries]


def _key(message: Message) -> str:
    return message.context or message.id
