"""What our drawn widgets share: nothing that is said to one, or by one, breaks it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import anywidget
import traitlets

from statelab.lab.static import style
from statelab.language import texts_of


class View(anywidget.AnyWidget):
    """A widget with a drawing, and a text for viewers without a kernel.

    `taken` names the traits that its page may set; a value that does not hold is not taken, and the
    page gets the one that does.

    A page may ask for the states of all widgets at any moment, in a thread of its own, and what it
    then gets may come after what is newer. So a view is told of when it is whole, what it tells has
    a number that grows, and a page that gets a lower one than it had says "state".
    """

    _css = style()
    words = traitlets.Dict().tag(sync=True)  # what its drawing says, in another language
    taken: ClassVar[tuple[str, ...]] = ()
    _whole = True
    _told = 0

    @contextlib.contextmanager
    def _unseen(self) -> Iterator[None]:
        """Pages hear of it after this."""
        self._whole = False
        yield
        self._whole = True
        self.open()

    def open(self) -> None:
        if self._whole:
            super().open()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        told = self._told  # first: a state may be newer than its number, never older
        return {**super().get_state(key, drop_defaults), "told": told}

    def send_state(self, key: Any = None) -> None:
        self._told += 1
        super().send_state(key)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        if content == "state":
            self.send_state()
        else:
            super()._handle_custom_msg(content, buffers)

    def set_state(self, sync_data: Any) -> None:
        """Takes what a page has set."""
        known = sync_data if isinstance(sync_data, Mapping) else {}
        try:
            super().set_state({name: known[name] for name in self.taken if name in known})
        except traitlets.TraitError:
            self.send_state(list(self.taken))

    @traitlets.default("words")
    def _in_the_language(self) -> dict[str, str]:
        return texts_of(str(self._esm))

    @staticmethod
    def _trait_to_json(value: Any, widget: Any) -> Any:
        return sayable(value)

    def _html(self) -> str:
        """What viewers without a kernel see."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        texts = {"text/plain": repr(self), "text/html": self._html()}
        return {**bundle[0], **sayable(texts)}, bundle[1]


def sayable(value: Any) -> Any:
    """A value as it can be sent: the channel to a page ends at half a character, and at NaN."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {sayable(key): sayable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [sayable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
