"""Access tokens: notes that anyone can read, and only the owner of the key can sign.

A token is a JWT signed with HS256 (RFC 7519, RFC 7515), made and checked by PyJWT. What PyJWT
leaves open is settled here, after RFC 8725: one algorithm, a key of full length, and claims that
must be there. Its time checks read the wall clock, so they are off, and the caller's clock is used.
"""

from __future__ import annotations

import base64
import math
from typing import Any

from statelab.checked import MAX_SECONDS
from statelab.message import Request, shown
from statelab.task import STATUS_OF_ERROR

ALGORITHM = "HS256"
_URL = str.maketrans("-_", "+/")  # what RFC 4648, section 5, writes otherwise
KEY_BYTES = 32  # HS256 is as strong as its key: RFC 7518, section 3.2
ISSUER, AUDIENCE = "login.example", "web.example"


class BadToken(Exception):
    """A token that proves nothing, and why."""


class BadLogin(ValueError):
    """A login that names nobody; its caller gets a 400."""


STATUS_OF_ERROR[BadLogin] = 400


def user_in(request: Request) -> str:
    """The user that a login names, as {"user": ...}; raises BadLogin."""
    body = request.body
    return checked_user(body.get("user") if isinstance(body, dict) else None)


def checked_user(user: Any) -> str:
    """Returns `user`; raises BadLogin unless it is a text that can be written and is not empty."""
    if not isinstance(user, str) or not user.strip() or not user.isprintable():
        raise BadLogin(f"{shown(user)} names nobody: a login brings {{'user': a name}}")
    return user


def brought_by(request: Request) -> str:
    """The token or session id that a request brings, '' if none.

    The scheme may be in any case: RFC 9110, section 11.1.
    """
    scheme, *token = request.headers.get("authorization", "").split(None, 1) or [""]
    return "".join(token).strip() if scheme.lower() == "bearer" else ""


def plain(token: str) -> str:
    """A token as it was given out: base64 can be written otherwise, with more padding, say.

    A list of tokens that were taken back holds them so, or it could be passed by.
    """
    try:
        parts = [base64.b64decode(part.translate(_URL) + "==") for part in token.split(".")]
    except ValueError:  # no token, then
        return token
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def checked_key(key: bytes) -> bytes:
    """Returns `key`; raises TypeError or ValueError if it cannot sign safely."""
    if not isinstance(key, bytes):
        raise TypeError(f"the key is a {type(key).__name__}: give {KEY_BYTES} random bytes")
    if len(key) < KEY_BYTES:
        raise ValueError(
            f"the key has {len(key)} of at least {KEY_BYTES} bytes, so it could be guessed: make "
            f"one with secrets.token_bytes({KEY_BYTES})"
        )
    return key


def signed(
    user: str,
    key: bytes,
    now_s: float,
    lifetime_s: float,
    *,
    issuer: str = ISSUER,
    audience: str = AUDIENCE,
) -> str:
    """Returns a token that says who the bearer is until `now_s + lifetime_s`.

    Raises TypeError if `user` is no text, BadLogin if it names nobody, ValueError if a time is
    none, and what `checked_key` raises.
    """
    import jwt

    if not isinstance(user, str):
        raise TypeError(f"the user {shown(user)} is not a str, so no token can name them")
    checked_user(user)
    if not (_is_time(now_s) and _is_time(lifetime_s)):
        times = f"from {shown(now_s)} s, for {shown(lifetime_s)} s"
        raise ValueError(f"{times}: give finite numbers of seconds")
    claims = {"iss": issuer, "aud": audience, "sub": user, "iat": now_s, "exp": now_s + lifetime_s}
    return jwt.encode(claims, checked_key(key), algorithm=ALGORITHM)


def user_of(
    token: str, key: bytes, now_s: float, *, issuer: str = ISSUER, audience: str = AUDIENCE
) -> str:
    """Returns the user that `token` names; raises BadToken if it proves nothing at `now_s`."""
    import jwt

    if not token:
        raise BadToken("no token came with the request")
    checked_key(key)
    if not isinstance(token, str) or token != plain(token):
        raise BadToken("the token is not written as it was given out")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],  # never the token's own word for it: it could say "none"
            issuer=issuer,
            audience=audience,
            options={
                "require": ["exp", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidTokenError as wrong:
        raise BadToken(str(wrong)[:200]) from None
    except (ValueError, RecursionError):  # whatever a stranger's text does to who reads it
        raise BadToken("the token cannot be read") from None
    if not _is_time(now_s):
        raise BadToken(f"it is {shown(now_s)} s, which is no time")
    if now_s >= _time(claims, "exp"):
        raise BadToken("the token has expired")
    if "nbf" in claims and now_s < _time(claims, "nbf"):
        raise BadToken("the token is not valid yet")
    try:
        return checked_user(claims["sub"])
    except BadLogin as wrong:
        raise BadToken(str(wrong)) from None


def _is_time(seconds: Any) -> bool:
    return isinstance(seconds, (int, float)) and abs(seconds) <= MAX_SECONDS


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if type(value) is not int and (type(value) is not float or not math.isfinite(value)):
        raise BadToken(f"the token's {name} is {value!r:.100}, which is no time")
    return value
