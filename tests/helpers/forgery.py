"""Tokens signed by hand, and a world in which alice has logged in."""

import base64
import hmac
import json

from statelab import World
from statelab.servers import tokens

KEY = b"the key of the tests: 32 bytes.."


def served(server, *args, seed=7):
    """A world with one server, and alice logged in on it."""
    world = World(seed)
    world.start("web", server, *args)
    alice = world.client("alice")
    assert alice.post("web", "/login", {"user": "alice"}).status == 200
    return world, alice


def forged(**changes):
    """A token signed by hand, with `changes` to what an honest one says."""
    header = {"alg": "HS256", "typ": "JWT", **changes.pop("header", {})}
    key = changes.pop("key", KEY)
    claims = {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "sub": "alice", "exp": 3600, **changes}
    claims = {name: value for name, value in claims.items() if value is not ...}
    parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
    how = header["alg"].replace("HS", "sha")
    signature = b"" if key is None else hmac.digest(key, ".".join(parts).encode(), how)
    return ".".join([*parts, encoded(signature)])


def encoded(data):
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
