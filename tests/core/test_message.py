"""A copied message is what JSON would make of it, and shares nothing with what was sent."""

import enum
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statelab.message import MAX_BODY, copied, shown

keys = st.one_of(
    st.text(), st.integers(-(2**70), 2**70), st.booleans(), st.none(), st.floats(allow_nan=False)
).filter(lambda key: not (isinstance(key, float) and math.isinf(key)))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
bodies = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner)
    ),
    max_leaves=20,
)


def exactly(value):
    """A form in which 1, 1.0 and True differ, and so do two orders of keys."""
    if isinstance(value, dict):
        return ["dict", [[key, exactly(item)] for key, item in value.items()]]
    if isinstance(value, list):
        return ["list", [exactly(item) for item in value]]
    return [type(value).__name__, repr(value)]


@given(bodies)
def test_a_copy_equals_its_json_round_trip(body):
    assert exactly(copied(body)) == exactly(json.loads(json.dumps(body)))


def containers(value):
    if isinstance(value, (list, dict)):
        yield id(value)
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


@given(bodies)
def test_a_copy_shares_no_container(body):
    assert not set(containers(body)) & set(containers(copied(body)))


class Name(str):
    """A kind of text."""


class Colour(enum.IntEnum):
    RED = 1


def test_kinds_of_plain_values_arrive_plain():
    copy = copied({Name("a"): Name("b"), "colour": Colour.RED, "half": (1, 0.5)})
    assert exactly(copy) == exactly({"a": "b", "colour": 1, "half": [1, 0.5]})


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (object(), "body is a object"),
        ({"users": [1, {2, 3}]}, r"body\['users'\]\[1\] is a set"),
        ({"key": b"raw"}, r"body\['key'\] is a bytes"),
        ([float("nan")], r"body\[0\] is nan"),
        ({"x": float("inf")}, r"body\['x'\] is inf"),
        ({(1, 2): 3}, r"body has the key \(1, 2\)"),
    ],
)
def test_what_json_has_no_form_for_is_named_by_its_place(body, where):
    with pytest.raises(TypeError, match=where):
        copied(body)


def test_a_body_that_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="does it contain itself"):
        copied(loop)


@pytest.mark.parametrize(
    "body",
    [
        "x" * (MAX_BODY + 1),
        ["x" * (MAX_BODY // 2)] * 3,
        [0] * (MAX_BODY + 1),
        [[0] * 1000 for _ in range(1001)],
        {"k" * (MAX_BODY + 1): 1},
    ],
)
def test_a_body_that_is_too_large_is_refused_however_it_is_built(body):
    with pytest.raises(ValueError, match="too large: more than 1,000,000"):
        copied(body)


def test_a_body_just_small_enough_is_copied():
    assert copied("x" * MAX_BODY) == "x" * MAX_BODY


@pytest.mark.parametrize("raised", [ValueError, SystemExit, KeyboardInterrupt])
def test_what_cannot_be_shown_is_told_by_its_kind(raised):
    class Odd:
        def __repr__(self):
            raise raised

    assert shown(Odd()) == "a Odd"
