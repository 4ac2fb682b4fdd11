"""Whoever logs in as nobody is told so by every lesson's server, which lives on."""

import lessons
import pytest

from statelab import World

start, rest, auth, capstone = (
    lessons.load(name)
    for name in ("00_start_here", "03_stateful_or_stateless", "04_authentication", "10_capstone")
)
SERVERS = [
    (start.BySessionId,),
    (start.ByToken,),
    (start.OnDisk,),
    (rest.ShopByConnection,),
    (rest.ShopByToken,),
    (auth.AuthByConnection,),
    (auth.AuthByToken, auth.KEY),
    *((capstone.Web, "web", {**capstone.MINE, "login": where}) for where in ("memory", "token")),
]
NOBODY = [None, [], ["user"], "alice", 7, {}, {"user": None}, {"user": 7}, {"user": ["alice"]},
          {"user": {}}, {"user": ""}, {"user": " \t"}]  # fmt: skip


@pytest.mark.parametrize(("server", "args"), [(server, args) for server, *args in SERVERS])
def test_a_login_that_names_nobody_is_a_400_that_says_so(server, args):
    world = World(seed=7)
    world.start("web", server, *args)
    for body in NOBODY:
        answer = world.call("web", "/login", body)
        assert answer.status == 400, body
        assert "names nobody" in str(answer.body)
    assert world.call("web", "/login", {"user": "alice"}).status == 200
