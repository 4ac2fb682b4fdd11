"""What the tests of lessons share."""

import pytest


@pytest.fixture(autouse=True)
def _checks_begin_in_a_moment(quick):
    pass
