"""What our drawn widgets share: nothing that is said to one, or by one, breaks it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import anywidget
import traitlets

from statelab.lab.static import style
from statelab.language import texts_of


class View(anywidget.AnyWidget):
    """A widget with a drawing, and a text for viewers without a kernel.

    `taken` names the traits that its page may set; a value that does not hold is not taken, and the
    page gets the one that does.
    """

    _css = style()
    words = traitlets.Dict().tag(sync=True)  # what its drawing says, in another language
    taken: ClassVar[tuple[str, ...]] = ()

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
