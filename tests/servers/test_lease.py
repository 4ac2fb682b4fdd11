"""Leases, simulated: what holds on bad days, and what breaks without each safeguard.

The writers, the scenario and the sentences of the four steps are those of lesson 07.
"""

import random

import lessons
import pytest

from statelab import Invariant, Node, Soft, World
from statelab.servers import Database, LeaseServer, ServerLease

lesson = lessons.load("07_write_lease")
WRITERS = ("writer-1", "writer-2", "writer-3")
LATENCY_S = 0.002  # the slowest message of these days


# ------------------------------------------------------------------------------- sentences
def overlapping(rows):
    """A grant that begins before the end of the one before it, by the lease server's clock."""
    last = None
    for row, _, token, until in lesson.records(rows):
        if last is not None and token != last[0] and row.time < last[1]:
            return row.seq
        last = token, until
    return None


def not_increasing(rows):
    """A grant whose token is no larger than that of the one before it."""
    last = None
    for row, holder, token, _ in lesson.records(rows):
        new = last is not None and (holder, token) != last
        if (new and token <= last[1]) or (last is None and token < 1):
            return row.seq
        last = holder, token
    return None


def changed_by_another(rows):
    """A record that was renewed or ended for somebody who was not its holder."""
    asked, taken_up, holder = {}, None, None
    for row in rows:
        if row.kind == "send" and row.other == "lease":
            asked[row.message] = row.node, row.data[1]
        elif row.kind == "receive" and row.node == "lease":
            taken_up = asked[row.message]
        elif row.kind == "disk" and row.node == "lease":
            if taken_up[1] != "/acquire" and taken_up[0] != holder:
                return row.seq
            holder = row.data[1][0]
    return None


def not_granted_when_free(rows):
    """A request for the right that was refused although no grant was in force."""
    asked, until = {}, 0.0
    for row in rows:
        if row.kind == "send" and row.other == "lease":
            asked[row.message] = row.data[1]
        elif row.kind == "disk" and row.node == "lease":
            until = row.data[1][2]
        elif row.kind == "reply" and row.node == "lease":
            refused = row.data[0] != 200 and asked[row.message] == "/acquire"
            if refused and row.time >= until:
                return row.seq
    return None


ALWAYS = (
    Invariant("two grants never overlap", overlapping),
    Invariant("tokens increase", not_increasing),
    Invariant("only its holder renews or ends a grant", changed_by_another),
    Invariant("what is free is granted", not_granted_when_free),
    *lesson.STEPS,
)


# ------------------------------------------------------------------------------- days
def bad_day(seed, loss=0.05, **args):
    """A world after a day of bills, kills, pauses in the middle of a bill, and lost messages."""
    world, chance = World(seed), random.Random(f"{seed}:day")
    lesson.billing(world, writers=3, **args)
    for writer in WRITERS:
        world.link(writer, "lease", (0.001, LATENCY_S), loss, duplicate=loss)
    naps = 0
    for _ in range(6):
        world.run(chance.uniform(0.2, 0.8))
        what = chance.choice(
            ["nap", "nap", "kill", "kill the holder", "restart the server", "bill"]
        )
        if what == "nap" or naps == 0:
            naps += 1
            nap(world, chance)
        elif what == "bill":
            ask(world, chance.choice(WRITERS))
        else:
            kill(world, what, chance)
    world.run(2.5)
    return world


def nap(world, chance):
    """The holder is paused in the middle of a bill; another writes, if it may; it goes on."""
    writer = holder(world)
    if world.status(writer) != "up":
        world.restart(writer)
    ask(world, writer)
    world.run(chance.uniform(0.01, 0.9))
    world.pause(writer)
    world.run(chance.uniform(0.5, 2.5))
    for other in WRITERS:
        if other != writer:
            ask(world, other)
    world.run(chance.uniform(1.1, 2.0))
    world.resume(writer)
    world.run(0.1)


def kill(world, what, chance):
    if what == "restart the server":
        victim = "lease"
    else:
        victim = holder(world) if what == "kill the holder" else chance.choice(WRITERS)
    if world.status(victim) == "up":
        world.kill(victim)
    world.run(chance.uniform(0, 1.0))
    world.restart(victim)


def ask(world, writer):
    world.client(f"client of {writer}").post(writer, "/bill", {"bill": 1}, wait=False, timeout=0.1)


def holder(world):
    """Whom the lease server granted the right last."""
    granted = [data[0] for _, *data in lesson.records(world.trace.rows)]
    return granted[-1] if granted else WRITERS[0]


def broken(world, sentences=ALWAYS):
    return [sentence.sentence for sentence in sentences if world.trace.breach(sentence)]


# ------------------------------------------------------------------------------- bad days
def test_on_bad_days_no_sentence_breaks_and_with_fencing_no_stale_write_lands(seeds):
    restarts = refused = 0
    for seed in seeds(60):
        world = bad_day(seed, fencing=True)
        assert broken(world, (*ALWAYS, lesson.NO_STALE_WRITE)) == []
        rows = world.trace.rows
        restarts += any(
            row.kind == "start" and row.life > 1 and row.node == "lease" for row in rows
        )
        refused += any((row.kind, row.node, row.data[0]) == ("reply", "db", 409)
                       for row in rows if row.kind == "reply")  # fmt: skip
    # The days were bad enough to mean something.
    assert restarts > 20
    assert refused > 20


def test_without_fencing_stale_writes_land(seeds):
    landed = sum(bool(broken(bad_day(seed), (lesson.NO_STALE_WRITE,))) for seed in seeds(40))
    assert landed > 20


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_each_of_the_four_steps_taken_out_breaks_its_own_sentence(step, seeds):
    broke = sum(
        lesson.STEPS[step].sentence
        in broken(bad_day(seed, loss=0, **lesson.TAKEN_OUT[step]), lesson.STEPS)
        for seed in seeds(12)
    )
    assert broke > 6


class Forgetful(LeaseServer):
    """Begins each life with nothing."""

    def __init__(self):
        self.grants = {}


class NeverAsksWhose(LeaseServer):
    """Renews whatever is in force, for whoever asks."""

    async def handle(self, request):
        if request.path == "/renew" and "bills" in self.grants:
            _, token, _ = self.disk["bills"]
            request.body["token"] = token
            return self.keep("bills", request.body["holder"], token, request.body["ttl"])
        return await super().handle(request)


@pytest.mark.parametrize(
    ("server", "sentences"),
    [
        (Forgetful, ("two grants never overlap", "tokens increase")),
        (NeverAsksWhose, ("only its holder renews or ends a grant",)),
        (lesson.DropsNothing, ("what is free is granted",)),
    ],
)
def test_without_one_of_its_safeguards_the_server_breaks_a_sentence(server, sentences, seeds):
    found = set()
    for seed in seeds(12):
        found.update(broken(bad_day(seed, server=server)))
    assert found.issuperset(sentences)


# ------------------------------------------------------------------------------- after a death
def seconds_without_a_holder(seed, **args):
    """From the end of what a killed holder had, counted from its last renewal, to the next grant.

    None if nobody was granted the right.
    """
    world = World(seed)
    lesson.billing(world, writers=3, **args)
    for writer in WRITERS:
        world.link(writer, "lease", (0.001, LATENCY_S))
    world.run(random.Random(f"{seed}:death").uniform(0.1, 3))
    victim = holder(world)
    world.kill(victim)
    world.run(lesson.Writer.ttl + 1)
    seen = lesson.records(world.trace.rows)
    renewed = [row.time for row, who, _, _ in seen if who == victim][-1]
    granted = [row.time for row, who, _, _ in seen if who != victim]
    return granted[0] - renewed if granted else None


def test_after_a_holders_death_another_holds_the_right_within_its_ttl_and_a_round_trip(seeds):
    for seed in seeds(300):
        waited = seconds_without_a_holder(seed)
        assert lesson.Writer.ttl <= waited <= lesson.Writer.ttl + 2 * LATENCY_S + 1e-5


def test_without_an_end_nobody_writes_ever_again_after_a_holders_death(seeds):
    assert {seconds_without_a_holder(seed, server=lesson.NotesNoEnd) for seed in seeds(20)} == {
        None
    }


# ------------------------------------------------------------------------------- what it believes
class CountsFromTheAnswer(ServerLease):
    """Believes in its right for the whole time, beginning when it hears of it."""

    async def _ask(self, path, token):
        right = await super()._ask(path, token)
        return Soft(right.value, self.node.now() + self.ttl) if right.value else right


class CountingWriter(lesson.Writer):
    """A writer whose lease counts from the answer."""

    def __init__(self, me):
        super().__init__(me, CountsFromTheAnswer)


def too_long(seq, right, kept):
    """Whether at that event a right outlives, in its holder's eyes, what is on record of it."""
    ends = [until for row, _, token, until in kept if token == right.value and row.seq <= seq]
    return right.value is not None and right.until > ends[-1]


def believed_too_long(writer, seeds):
    """In how many days somebody's right outlived, in its own eyes, the server's record of it."""
    found = 0
    for seed in seeds(50):
        world = World(seed, memory=True)
        lesson.billing(world, writer=writer, writers=3)
        for name in WRITERS:
            world.link(name, "lease", (0.001, 0.1))
        world.run(5)
        kept = lesson.records(world.trace.rows)
        rights = [row for row in world.trace.memory if "right" in row.data[0]]
        found += any(too_long(row.seq, row.data[0]["right"], kept) for row in rights)
    return found


def test_a_holder_believes_in_its_right_no_longer_than_the_server_does(seeds):
    assert believed_too_long(lesson.Writer, seeds) == 0


def test_a_holder_that_counts_from_the_answer_believes_too_long(seeds):
    assert believed_too_long(CountingWriter, seeds) > 40


# ------------------------------------------------------------------------------- one at a time
def asked(world, path, holder, token=None, ttl=1.0, name="bills"):
    """The status and body of one request to the lease server."""
    body = {"name": name, "holder": holder, "token": token, "ttl": ttl}
    answer = world.call("lease", path, body)
    return answer.status, answer.body


def kept(world):
    """What the lease server has on its disk."""
    return next(row.data[1] for row in world.trace.states() if row.node == "lease")


def leased():
    world = World(7)
    world.start("lease", LeaseServer)
    assert asked(world, "/acquire", "ann") == (200, {"token": 1})
    return world


@pytest.mark.parametrize("path", ["/renew", "/release", "/acquire", "/look"])
@pytest.mark.parametrize(
    ("holder", "token"), [("bob", 1), ("bob", None), ("ann", 2), ("ann", None)]
)
def test_what_a_non_owner_asks_does_nothing(path, holder, token):
    world = leased()
    before = kept(world)
    status, body = asked(world, path, holder, token)
    assert status == 409
    assert 0.9 < body["wait"] < 1
    assert kept(world) == before


def test_its_owner_may_renew_a_grant_until_its_end_and_give_it_up():
    world = leased()
    world.run(0.9)
    assert asked(world, "/renew", "ann", 1) == (200, {"token": 1})
    world.run(0.9)
    assert asked(world, "/acquire", "bob")[0] == 409
    assert asked(world, "/release", "ann", 1)[0] == 200
    assert asked(world, "/release", "ann", 1)[0] == 409
    assert asked(world, "/acquire", "bob") == (200, {"token": 2})
    world.run(1)
    status, body = asked(world, "/renew", "bob", 2)
    assert (status, body["wait"]) == (409, 0)
    assert asked(world, "/acquire", "bob") == (200, {"token": 3})


def test_names_are_apart():
    world = leased()
    assert asked(world, "/acquire", "bob", name="posts") == (200, {"token": 1})
    assert sorted(kept(world)) == ["bills", "posts"]


def test_a_lease_server_that_restarts_forgets_no_grant_and_no_token():
    world = leased()
    world.kill("lease")
    world.restart("lease")
    assert asked(world, "/acquire", "bob")[0] == 409
    assert asked(world, "/renew", "ann", 1)[0] == 200
    world.run(1)
    world.kill("lease")
    world.restart("lease")
    assert asked(world, "/acquire", "bob") == (200, {"token": 2})


class Holder(Node):
    """Does with its lease what it is asked to; remembers what came of it."""

    def __init__(self, me):
        self.right = Soft(None, 0)
        self._lease = ServerLease(self, "bills", me, 1.0)

    async def handle(self, request):
        if request.path == "/release":
            return await self._lease.release(self.right)
        asking = (
            self._lease.acquire() if request.path == "/acquire" else self._lease.renew(self.right)
        )
        self.right = await asking
        return list(self.right)


def holders():
    world = World(7)
    world.start("lease", LeaseServer)
    for name in ("ann", "bob"):
        world.start(name, Holder, name)
    return world


def test_a_holder_acquires_renews_and_releases_through_its_lease():
    world = holders()
    asked_at = world.now()
    token, until = world.call("ann", "/acquire").body
    assert (token, asked_at < until < asked_at + 1.01) == (1, True)
    nothing, ask_again = world.call("bob", "/acquire").body
    assert (nothing, until < ask_again) == (None, True)
    assert world.call("bob", "/release").body is False
    world.run(0.5)
    token, longer = world.call("ann", "/renew").body
    assert (token, longer > until + 0.5) == (1, True)
    assert world.call("ann", "/release").body is True
    assert world.call("bob", "/acquire").body[0] == 2
    assert world.call("ann", "/renew").body[0] is None


def test_a_lost_answer_leaves_a_grant_that_nobody_knows_of_and_its_end_mends_that():
    world = holders()
    world.lose_next("lease", "ann")
    assert world.call("ann", "/acquire").status == 504
    assert kept(world)["bills"][:2] == ["ann", 1]
    token, ask_again = world.call("ann", "/acquire").body
    assert token is None
    world.run(until=ask_again)
    assert world.call("ann", "/acquire").body[0] == 2


# ------------------------------------------------------------------------------- fencing
def written(fencing, *tokens):
    """The statuses of writes with these tokens, and the tokens of those that landed."""
    world = World(7)
    world.start("db", Database, fencing)
    statuses = [world.call("db", "/write", {"token": token}).status for token in tokens]
    disk = next(row.data[1] for row in world.trace.states() if row.node == "db")
    return statuses, [write["token"] for write in disk["written"]]


def test_a_fencing_database_refuses_a_token_older_than_the_newest_it_has_seen_and_no_other():
    assert written(True, 1, 1, 2, 1, 2, 5, 4) == (
        [200, 200, 200, 409, 200, 200, 409],
        [1, 1, 2, 2, 5],
    )
    assert written(False, 2, 1) == ([200, 200], [2, 1])


def test_a_fencing_database_that_restarts_remembers_the_newest_token():
    world = World(7)
    world.start("db", Database, True)
    world.call("db", "/write", {"token": 2})
    world.kill("db")
    world.restart("db")
    assert world.call("db", "/write", {"token": 1}).status == 409
