"""State that a simulated kill would not erase is refused, with a sentence."""

import types

import pytest

from statelab import Node, World
from statelab.vetting import vetting as isolation

SEEN = []
PRICES = types.MappingProxyType({"apple": 3})
count = 0


class SharedAttribute(Node):
    seen = []  # noqa: RUF012 - the mistake itself

    async def handle(self, request):
        self.seen.append(1)
        return len(self.seen)


class UsesGlobal(Node):
    async def handle(self, request):
        SEEN.append(request.body)
        return [len(SEEN) for _ in range(1)]


class AssignsGlobal(Node):
    async def handle(self, request):
        global count
        count += 1
        return count


class InnerGlobal(Node):
    async def handle(self, request):
        return [name for name in "ab" if (lambda: SEEN)() is not None]


def closing_over(kept):
    class Closure(Node):
        async def handle(self, request):
            kept[0] += 1
            return kept[0]

    return Closure


class NotAsync(Node):
    def handle(self, request):
        return 1


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (SharedAttribute, "SharedAttribute.seen is one list that all lives would share"),
        (UsesGlobal, "UsesGlobal.handle uses the global SEEN, a list"),
        (InnerGlobal, "InnerGlobal.handle uses the global SEEN, a list"),
        (AssignsGlobal, "AssignsGlobal.handle assigns the global count"),
        (closing_over([0]), "Closure.handle closes over kept, a list"),
        (NotAsync, "NotAsync.handle is not a coroutine: write async def handle"),
        (Node(), r"start takes the class.*write Node, not Node\(\)"),
        (lambda: Node(), "start takes a subclass of Node"),
        (dict, "start takes a subclass of Node"),
    ],
)
def test_a_class_that_a_kill_would_not_wholly_erase_is_refused(factory, sentence):
    world = World()
    with pytest.raises(TypeError, match=sentence):
        world.start("web", factory)
    assert world.names == {}


def test_a_table_that_cannot_change_is_welcome():
    class Shop(Node):
        async def handle(self, request):
            return PRICES["apple"]

    world = World()
    world.start("web", Shop)
    assert world.call("web").body == 3


def test_an_inherited_mistake_is_found():
    class Heir(SharedAttribute):
        pass

    with pytest.raises(TypeError, match=r"SharedAttribute\.seen"):
        isolation.vet(Heir)


def test_without_the_check_state_would_survive_a_kill(monkeypatch):
    harmless = types.SimpleNamespace(keeps=False, binds=False, outside="")
    monkeypatch.setattr(isolation, "vet", lambda *_: harmless)
    world = World()
    world.start("web", closing_over([0]))
    assert world.call("web").body == 1
    world.kill("web")
    world.restart("web")
    assert world.call("web").body == 2


def test_arguments_that_cannot_be_made_anew_are_refused():
    class Keeper(Node):
        def __init__(self, kept):
            self._kept = kept

    with pytest.raises(TypeError, match="the arguments of web cannot be given anew"):
        World().start("web", Keeper, lambda: 0)
