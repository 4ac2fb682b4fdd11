"""The supporting cast: what each server remembers, what a kill takes from it, whom it lets in."""

import base64
import inspect
import subprocess
import sys

import jwt
import lessons
import pytest
from forgery import KEY, encoded, forged, served

from statelab import NoReply, Refused, World
from statelab.servers import Balancer, Store, tokens

lesson = lessons.load("04_authentication")
AuthByConnection, AuthBySession = lesson.AuthByConnection, lesson.AuthBySession
AuthByToken, AuthByOwnKey = lesson.AuthByToken, lesson.AuthByOwnKey
OTHER_KEY = b"somebody else's key has 32 bytes"
SERVERS = [(AuthByConnection,), (AuthBySession,), (AuthByToken, KEY), (AuthByOwnKey,)]


def profile(client, to="web", **options):
    answer = client.get(to, "/profile", **options)
    return answer.body["user"] if answer.status == 200 else answer.status


# ------------------------------------------------------------------------------- who is remembered
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server[0].__name__)
def test_whoever_has_logged_in_is_known_and_whoever_has_not_is_not(server):
    world, alice = served(*server)
    assert profile(alice) == "alice"
    assert profile(world.client("bob")) == 401


def test_a_reconnect_and_a_restart_tell_the_servers_apart():
    reconnected, restarted = [401, "alice", "alice", "alice"], [401, 401, "alice", 401]
    for server, after, later in zip(SERVERS, reconnected, restarted, strict=True):
        _, alice = served(*server)
        alice.reconnect()
        assert profile(alice) == after
        world, alice = served(*server)
        world.kill("web")
        world.restart("web")
        world.run(0.1)  # until the news of the kill has reached her
        assert profile(alice) == later


def test_a_logout_ends_what_a_server_remembers_but_takes_no_token_back():
    for server, after in zip(SERVERS, [401, 401, "alice", "alice"], strict=True):
        _, alice = served(*server)
        assert alice.post("web", "/logout").status == 200
        assert profile(alice) == after


def test_a_logout_by_a_stranger_changes_nothing():
    world, alice = served(AuthBySession)
    assert world.client("bob").post("web", "/logout").status == 200
    assert profile(alice) == "alice"


def test_whoever_gets_the_port_next_is_taken_for_whoever_had_it():
    for server, bob_is in zip(SERVERS, ["alice", 401, 401, 401], strict=True):
        world, alice = served(*server)
        port = alice.ports["web"]
        alice.reconnect()
        assert profile(world.client("bob", port=port)) == bob_is


def test_a_login_without_a_user_is_refused_and_the_server_lives():
    for server in SERVERS:
        world, alice = served(*server)
        for body in (None, {}, []):
            assert world.call("web", "/login", body).status == 400
        assert profile(alice) == "alice"


# ------------------------------------------------------------------------------- tokens
def tampered(token):
    """The token with bob's name in the place of alice's, and the old signature."""
    header, claims, signature = token.split(".")
    claims = base64.urlsafe_b64decode(claims + "==").replace(b'"alice"', b'"bob"')
    return ".".join([header, encoded(claims), signature])


FORGERIES = {
    "another user's name": (tampered(tokens.signed("alice", KEY, 0, 60)), "Signature"),
    "no signature": (forged(key=None, header={"alg": "none"}), "alg "),
    "an empty signature": (forged(key=None), "Signature"),
    "another key": (forged(key=OTHER_KEY), "Signature"),
    "an empty key": (forged(key=b""), "Signature"),
    "another algorithm": (forged(header={"alg": "HS512"}), "alg "),
    "another audience": (forged(aud="shop.example"), "[Aa]udience"),
    "no audience": (forged(aud=...), "aud"),
    "another issuer": (forged(iss="nobody.example"), "[Ii]ssuer"),
    "no issuer": (forged(iss=...), "iss"),
    "no end": (forged(exp=...), "exp"),
    "an end that is a text": (forged(exp="9999999999"), "no time"),
    "an end that is true": (forged(exp=True), "no time"),
    "an end that is infinite": (forged(exp=float("inf")), "no time"),
    "an end in the past": (forged(exp=0), "expired"),
    "a begin that is still to come": (forged(nbf=60), "not valid yet"),
    "a begin that is a text": (forged(nbf="0"), "no time"),
    "no user": (forged(sub=...), "sub"),
    "a user that is no text": (forged(sub=7), "[Ss]ub"),
    "a user without a name": (forged(sub=""), "names nobody"),
    "a user of blanks": (forged(sub=" \t"), "names nobody"),
    "a user of half a character": (forged(sub="\ud800"), "names nobody"),
    "an extension that nobody knows": (forged(header={"crit": ["x"], "x": 1}), "crit|extension"),
    "no token at all": ("", "no token"),
    "something else": ("alice", "segments"),
    "not even text of its alphabet": ("é.é.é", "."),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_token_that_proves_nothing_is_a_401_that_says_why(forgery):
    token, why = FORGERIES[forgery]
    with pytest.raises(tokens.BadToken, match=why):
        tokens.user_of(token, KEY, 0)
    if token.isascii():
        world, _ = served(AuthByToken, KEY)
        answer = world.call("web", method="GET", headers={"authorization": f"Bearer {token}"})
        assert answer.status == 401
        assert answer.body["error"]


@pytest.mark.parametrize("now_s", [float("nan"), float("inf"), -float("inf")])
def test_at_a_time_that_is_none_a_token_proves_nothing(now_s):
    with pytest.raises(tokens.BadToken, match="no time"):
        tokens.user_of(tokens.signed("alice", KEY, 0, 60), KEY, now_s)
    for times in ((now_s, 60), (0, now_s)):
        with pytest.raises(ValueError, match="finite"):
            tokens.signed("alice", KEY, *times)


@pytest.mark.parametrize("server", SERVERS[1:], ids=lambda server: server[0].__name__)
@pytest.mark.parametrize("written", ["BEARER\t{}", "bearer  {} ", "Bearer \t{}", "\tBearer {}"])
def test_between_the_scheme_and_the_token_may_be_any_blanks(server, written):
    world = World()
    world.start("web", *server)
    token = world.call("web", "/login", {"user": "alice"}).body["token"]
    headers = {"authorization": written.format(token)}
    assert world.call("web", "/profile", method="GET", headers=headers).body == {"user": "alice"}


@pytest.mark.parametrize(
    "text", ["BEARER\tx", "Bearer", "Bearer ", "\t", "", "Bearerx", "Basic x", "Bearer a b", "x"]
)
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server[0].__name__)
def test_whatever_else_the_header_says_is_a_401(server, text):
    world, _ = served(*server)
    answer = world.call("web", "/profile", method="GET", headers={"authorization": text})
    assert answer.status == 401


ODD = [None, 5, True, "user", "x", [], ["user"], {}, *({"user": user} for user in
       (None, 5, True, "", " ", [1], {"user": "x"}, "\ud800", "a\nb", "\0"))]  # fmt: skip


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server[0].__name__)
@pytest.mark.parametrize("body", ODD, ids=ascii)
def test_a_login_that_names_nobody_is_a_400_that_says_why(server, body):
    world = World()
    world.start("web", *server)
    answer = world.call("web", "/login", body)
    assert (answer.status, "names nobody" in answer.body["error"]) == (400, True)


def test_a_token_made_by_hand_is_good_if_it_says_all_and_the_key_is_right():
    assert tokens.user_of(forged(nbf=0), KEY, 0) == "alice"
    assert jwt.get_unverified_header(tokens.signed("alice", KEY, 0, 60))["alg"] == "HS256"


def test_a_token_expires_by_the_clock_of_its_world_and_not_of_the_wall():
    world, alice = served(AuthByToken, KEY, 60)
    world.run(until=59)
    assert profile(alice) == "alice"
    world.run(until=61)
    assert profile(alice) == 401
    assert tokens.user_of(tokens.signed("alice", KEY, 1e6, 1), KEY, 1e6) == "alice"


@pytest.mark.parametrize("key", [b"x", b"", KEY[:31]])
def test_a_short_key_is_refused_before_anything_is_signed_with_it(key):
    with pytest.raises(ValueError, match=f"the key has {len(key)} of at least 32 bytes"):
        World().start("web", AuthByToken, key)
    for use in (lambda: tokens.signed("alice", key, 0, 60), lambda: tokens.user_of("x", key, 0)):
        with pytest.raises(ValueError, match="could be guessed"):
            use()


def test_a_key_or_a_user_of_the_wrong_kind_is_refused():
    with pytest.raises(TypeError, match="the key is a str"):
        World().start("web", AuthByToken, KEY.decode())
    with pytest.raises(TypeError, match="the user 7 is not a str"):
        tokens.signed(7, KEY, 0, 60)


@pytest.mark.parametrize(
    ("safeguard", "forgery"),
    [
        ({"options": {"verify_exp": False, "verify_iat": False}}, "no end"),
        ({"audience": None, "options": {"verify_exp": False, "verify_aud": False}}, "no audience"),
        ({"issuer": None}, "another issuer"),
    ],
    ids=["claims that must be there", "the audience", "the issuer"],
)
def test_without_one_of_its_safeguards_the_check_lets_a_forgery_in(monkeypatch, safeguard, forgery):
    """PyJWT alone is not enough: it is told what to insist on, and here it is not."""
    decode = jwt.decode
    monkeypatch.setattr(jwt, "decode", lambda *a, **named: decode(*a, **{**named, **safeguard}))
    monkeypatch.setattr(tokens, "_time", lambda claims, name: claims.get(name, 9e9))
    token, _ = FORGERIES[forgery]
    assert tokens.user_of(token, KEY, 0) == "alice"


def test_without_a_list_of_one_algorithm_the_token_would_choose_its_own(monkeypatch):
    key = KEY * 2
    token = forged(key=key, header={"alg": "HS512"})
    with pytest.raises(tokens.BadToken, match="alg "):
        tokens.user_of(token, key, 0)
    decode = jwt.decode
    every = {"algorithms": ["HS256", "HS512"]}
    monkeypatch.setattr(jwt, "decode", lambda *a, **named: decode(*a, **{**named, **every}))
    assert tokens.user_of(token, key, 0) == "alice"


def test_without_the_look_at_the_type_of_its_end_a_token_could_last_for_ever(monkeypatch):
    monkeypatch.setattr(tokens, "_time", lambda claims, name: float(claims[name]))
    for forgery in ("an end that is a text", "an end that is infinite"):
        assert tokens.user_of(FORGERIES[forgery][0], KEY, 1e9) == "alice"


def test_without_the_look_at_its_length_a_key_of_one_byte_would_sign(monkeypatch):
    monkeypatch.setattr(tokens, "checked_key", lambda key: key)
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        assert tokens.signed("alice", b"x", 0, 60)


# ------------------------------------------------------------------------------- the store
def test_the_store_remembers_through_a_kill():
    world = World()
    world.start("store", Store)
    assert world.call("store", "/put", {"key": "b", "value": {"x": [1]}}).body == {"x": [1]}
    assert world.call("store", "/incr", {"key": "a"}).body == 1
    assert world.call("store", "/incr", {"key": "a", "by": 2.5}).body == 3.5
    assert world.call("store", "/append", {"key": "list", "value": 1}).body == [1]
    world.kill("store")
    world.restart("store")
    assert world.call("store", "/append", {"key": "list", "value": "two"}).body == [1, "two"]
    assert world.call("store", "/get", {"key": "a"}).body == 3.5
    assert world.call("store", "/keys").body == ["a", "b", "list"]
    assert world.call("store", "/keys", {"prefix": "l"}).body == ["list"]
    assert world.call("store", "/delete", {"key": "a"}).body is None
    assert world.call("store", "/delete", {"key": "a"}).status == 200
    assert world.call("store", "/get", {"key": "a"}).body is None
    assert [row.data[0] for row in world.trace.states() if row.node == "store"] == [{}]


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("/", {}, 404, "/get, /put"),
        ("/_get", {"key": "a"}, 404, "a store takes"),
        ("/get", None, 400, '"key": a text'),
        ("/get", ["key"], 400, '"key": a text'),
        ("/get", {"key": 1}, 400, '"key": a text'),
        ("/keys", {"prefix": None}, 400, '"prefix": a text'),
        ("/put", {"key": "a"}, 400, '"value"'),
        ("/append", {"key": "a"}, 400, '"value"'),
        ("/append", {"key": "text", "value": 1}, 400, "only a list"),
        ("/incr", {"key": "text"}, 400, "cannot be added"),
        ("/incr", {"key": "n", "by": True}, 400, "cannot be added"),
    ],
)
def test_what_a_store_cannot_do_is_a_4xx_that_says_so_and_changes_nothing(path, body, status, why):
    world = World()
    world.start("store", Store)
    world.call("store", "/put", {"key": "text", "value": "hello"})
    answer = world.call("store", path, body)
    assert answer.status == status
    assert why in answer.body["error"]
    assert world.call("store", "/keys").body == ["text"]
    assert world.call("store", "/get", {"key": "text"}).body == "hello"


# ------------------------------------------------------------------------------- the balancer
def balanced(server, *settings, count=2, args=()):
    """A world with `count` servers behind a balancer."""
    world = World(7)
    names = [f"web-{number + 1}" for number in range(count)]
    for name in names:
        world.start(name, server, *args)
    world.start("balancer", Balancer, names, *settings)
    return world


def log_in(world, *names):
    clients = [world.client(name) for name in names]
    for client in clients:
        assert client.post("balancer", "/login", {"user": client.name}).status == 200
    return clients


def visited(world):
    """The servers that took requests, in order."""
    return [row.node for row in world.trace.rows if row.kind == "receive" and "-" in row.node]


def memory_of(world, name):
    return next(row.data[0] for row in world.trace.states() if row.node == name)


def test_a_balancer_asks_each_server_in_its_turn_and_forgets_the_turn_when_killed():
    world = balanced(AuthByToken, count=3, args=[KEY])
    for _ in range(4):
        world.call("balancer", "/login", {"user": "alice"})
    assert visited(world) == ["web-1", "web-2", "web-3", "web-1"]
    assert memory_of(world, "balancer") == {"next": "web-2"}
    world.kill("balancer")
    world.restart("balancer")
    assert memory_of(world, "balancer") == {"next": "web-1"}


def test_a_balancer_passes_on_method_path_headers_and_body_and_the_answer_with_its_status():
    world = balanced(AuthByToken, args=[KEY])
    (alice,) = log_in(world, "alice")
    assert profile(alice, "balancer") == "alice"
    assert profile(world.client("bob"), "balancer") == 401
    sent = [row.data for row in world.trace.rows if row.kind == "send"]
    assert sent[0::2] == sent[1::2]
    replies = [row.data for row in world.trace.rows if row.kind == "reply"]
    assert replies[0::2] == replies[1::2]


def test_a_server_behind_a_balancer_sees_the_balancers_ports_one_for_each_caller():
    world = balanced(AuthByConnection, count=1)
    alice, bob = log_in(world, "alice", "bob")
    assert [profile(alice, "balancer"), profile(bob, "balancer")] == ["alice", "bob"]
    ports = {port for _, port in memory_of(world, "web-1")["logged_in"]}
    assert len(ports) == 2
    assert not ports & {alice.ports["balancer"], bob.ports["balancer"]}
    alice.reconnect()
    assert profile(alice, "balancer") == 401


def test_with_shared_connections_two_users_are_taken_for_one():
    world = balanced(AuthByConnection, "shared", count=1)
    (alice,) = log_in(world, "alice")
    assert profile(world.client("bob"), "balancer") == "alice"
    log_in(world, "bob")
    assert profile(alice, "balancer") == "bob"
    world = balanced(AuthByToken, "shared", count=1, args=[KEY])
    alice, bob = log_in(world, "alice", "bob")
    assert [profile(alice, "balancer"), profile(bob, "balancer")] == ["alice", "bob"]


def test_a_dead_server_behind_a_balancer_is_a_502_and_a_silent_one_a_504():
    world = balanced(AuthByToken, count=1, args=[KEY])
    world.pause("web-1")
    assert world.call("balancer").status == 504
    world.kill("web-1")
    assert world.call("balancer").status == 502
    world.restart("web-1")
    assert world.call("balancer").status == 401
    world.kill("balancer")
    with pytest.raises(Refused):
        world.call("balancer")


def test_a_request_that_may_have_happened_is_a_504_and_is_never_tried_again():
    world = balanced(AuthByToken, "retry", args=[KEY])
    world.pause("web-1")
    pending = world.call("balancer", wait=False)
    world.run(0.1)
    world.kill("web-1")
    assert pending.result().status == 504
    assert visited(world) == []  # web-2 was not asked, and web-1 never came to it


def test_with_retry_a_dead_server_goes_unnoticed_until_all_are_dead():
    world = balanced(AuthByToken, "retry", args=[KEY])
    (alice,) = log_in(world, "alice")
    world.kill("web-1")
    assert [profile(alice, "balancer") for _ in range(4)] == ["alice"] * 4
    world.kill("web-2")
    assert profile(alice, "balancer") == 502
    plain = balanced(AuthByToken, args=[KEY])
    (alice,) = log_in(plain, "alice")
    plain.kill("web-1")
    assert sorted(map(str, (profile(alice, "balancer") for _ in range(4)))) == [
        "502", "502", "alice", "alice",
    ]  # fmt: skip


def test_sessions_break_by_round_robin_and_hold_by_a_sticky_balancer_until_the_kill():
    world = balanced(AuthBySession)
    (alice,) = log_in(world, "alice")
    assert [profile(alice, "balancer") for _ in range(4)] == [401, "alice", 401, "alice"]

    world = balanced(AuthBySession, "sticky", "retry")
    alice, bob = log_in(world, "alice", "bob")
    assert [profile(alice, "balancer") for _ in range(3)] == ["alice"] * 3
    alice.reconnect()  # known by the token now
    assert [profile(alice, "balancer") for _ in range(3)] == ["alice"] * 3
    world.kill("web-1")
    assert [profile(alice, "balancer"), profile(bob, "balancer")] == [401, "bob"]
    log_in(world, "alice")
    assert [profile(alice, "balancer"), profile(bob, "balancer")] == ["alice", "bob"]
    world.kill("balancer")
    world.restart("balancer")
    assert memory_of(world, "balancer") == {"next": "web-1", "sticks_to": {}}


def test_a_balancer_refuses_a_setting_that_it_does_not_know_and_an_empty_list_of_servers():
    with pytest.raises(ValueError, match="no setting of a balancer"):
        World().start("balancer", Balancer, ["web"], "stick")
    with pytest.raises(ValueError, match="needs servers"):
        World().start("balancer", Balancer, [])
    with pytest.raises(ValueError, match="each of them once"):
        World().start("balancer", Balancer, ["web", "web"])


def test_a_paused_balancer_gives_no_reply():
    world = balanced(AuthByToken, args=[KEY])
    world.pause("balancer")
    with pytest.raises(NoReply):
        world.call("balancer")


# ------------------------------------------------------------------------------- imports
def test_the_servers_import_neither_a_world_nor_anything_from_outside():
    """Such imports would slow every start, and let a server know where it runs."""
    code = (
        "import sys; before = set(sys.modules); import statelab.servers\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["statelab"]
    for module in ("store", "balancer", "database", "lease", "tokens"):
        source = inspect.getsource(sys.modules[f"statelab.servers.{module}"])
        imported = [line.split()[1] for line in source.splitlines() if line.startswith("from ")]
        assert {name for name in imported if name.startswith("statelab")} <= {
            "statelab.checked", "statelab.message", "statelab.node", "statelab.servers",
            "statelab.task",
        }  # fmt: skip
