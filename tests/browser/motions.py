"""Both kinds of pages: those that ask for less motion, and the others, in which things move."""

import pytest

in_both_motions = pytest.mark.parametrize(
    "motion", ["no-preference", "reduce"], ids=["moving", "calm"], indirect=True
)
