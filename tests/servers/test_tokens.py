"""Tokens from strangers: whatever comes as one, it names a user, or it proves nothing."""

import base64
import json
from decimal import Decimal

import lessons
import pytest
from forgery import KEY, forged, served
from hypothesis import given, settings
from hypothesis import strategies as st

from statelab.servers import tokens

LESSON = lessons.load("04_authentication")


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def spellings(token):
    """Other texts that base64 reads as the same token."""
    header, claims, signature = token.split(".")
    spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield from (token + end for end in ("=", "==", "====", "!", "é"))
    yield from (f"{header}=.{claims}.{signature}", f"{header}.{claims}==.{signature}")
    yield from (token[:20] + sign + token[20:] for sign in ("!", " ", "\n", "\0", "~"))
    yield from (token[:-1] + sign for sign in spare if sign != token[-1])


def test_a_token_is_good_in_one_spelling_only():
    token = tokens.signed("alice", KEY, 0, 60)
    for other in spellings(token):
        with pytest.raises(tokens.BadToken):
            tokens.user_of(other, KEY, 0)
    assert tokens.plain(f"{token}==") == tokens.plain(token) == token


@pytest.mark.parametrize("lists", [LESSON.LogoutThatCounts, LESSON.LogoutThatLasts])
def test_a_token_that_was_taken_back_opens_nothing_however_it_is_written(lists):
    for took, shown in (("", ""), ("", "="), ("=", ""), ("==", "=")):
        world, alice = served(lists, KEY)
        token = alice.token
        for path, end in (("/logout", took), ("/profile", shown)):
            headers = {"authorization": f"Bearer {token}{end}"}
            answer = world.call("web", path, method="GET", headers=headers)
        assert answer.status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("server", [LESSON.AuthBySession, LESSON.AuthByToken])
def test_the_scheme_of_a_header_may_be_written_in_any_case(server, scheme):
    world, alice = served(server, *([KEY] if server is LESSON.AuthByToken else []))
    headers = {"authorization": f"{scheme} {alice.token}"}
    assert world.call("web", "/profile", method="GET", headers=headers).status == 200
    headers = {"authorization": f"Basic {alice.token}"}
    assert world.call("web", "/profile", method="GET", headers=headers).status == 401


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([10**400, -(10**400), 1e308, "alice", "HS256", "none", tokens.ISSUER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)  # fmt: skip
NAMES = ("exp", "nbf", "iat", "sub", "iss", "aud", "jti", "crit")


@settings(max_examples=max(300, settings.default.max_examples))
@pytest.mark.fuzz
@given(st.dictionaries(st.sampled_from(NAMES), anything))
def test_whatever_a_signed_token_claims_it_names_a_user_or_proves_nothing(claims):
    try:
        said = tokens.user_of(forged(**claims), KEY, 0)
    except tokens.BadToken as wrong:
        said = str(wrong)
    assert type(said) is str
    assert len(said) < 300


@settings(max_examples=max(300, settings.default.max_examples))
@pytest.mark.fuzz
@given(st.one_of(st.text(), st.binary(), anything), st.lists(anything, max_size=3))
def test_whatever_text_comes_as_a_token_is_a_bad_one(text, parts):
    for token in (text, ".".join(_base64(json.dumps(part).encode()) for part in parts)):
        with pytest.raises(tokens.BadToken):
            tokens.user_of(token, KEY, 0)


@pytest.mark.parametrize(
    "time", [10**400, 10**5000, float("nan"), float("inf"), "1", None, 1j, Decimal(1), [1]],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_time_makes_no_token_and_proves_none(time):
    for times in ((0.0, time), (time, 1)):
        with pytest.raises(ValueError, match="give finite numbers of seconds"):
            tokens.signed("alice", KEY, *times)
    with pytest.raises(tokens.BadToken, match="no time"):
        tokens.user_of(tokens.signed("alice", KEY, 0, 60), KEY, time)


@pytest.mark.parametrize("part", ["[" * 100_000, '{"alg":' * 50_000, "9" * 100_000, '"' * 9])
def test_what_nobody_can_read_is_a_bad_token(part):
    for token in (f"{_base64(part.encode())}.e30.AA", f"e30.{_base64(part.encode())}.AA"):
        with pytest.raises(tokens.BadToken):
            tokens.user_of(token, KEY, 0)
