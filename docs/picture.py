"""Makes docs/picture.svg: `python docs/picture.py`, in statelab's environment."""

from pathlib import Path

from statelab import World, lab
from statelab.diagrams import Diagram, sequence

lesson = lab.lesson("04_authentication", Path(__file__).parents[1] / "notebooks")


class KeepsAList(lesson.AuthBySession):
    """Remembers who is in, in its memory."""


class SignsTickets(lesson.AuthByToken):
    """Remembers its key, which it is given again at each start."""


def picture() -> Diagram:
    """Two servers are killed and started again: alice is out, bob is in."""
    world = World(seed=7)
    world.start("web-a", KeepsAList)
    world.start("web-b", SignsTickets, b"thirty-two bytes that stay secret")
    alice, bob = world.client("alice"), world.client("bob")
    alice.post("web-a", "/login", {"user": "alice"})
    bob.post("web-b", "/login", {"user": "bob"})
    world.run(until=2)
    for verb in (world.kill, world.restart):
        for server in ("web-a", "web-b"):
            verb(server)
        world.run(0.3)
    alice.get("web-a", "/profile")
    bob.get("web-b", "/profile")
    title = "Two servers restart. One remembered who was in; the other had signed it."
    return sequence(world.trace, nodes=["alice", "web-a", "web-b", "bob"], title=title)


if __name__ == "__main__":
    picture().save(Path(__file__).with_suffix(".svg"))
