"""A log to scrub over: the state at each moment, with inputs in or out, and what it tells."""

import pytest

from statelab import lab

LOG = ["hit", "hit", "hit", "loot"]


def play(state, packet):
    life = max(0, state["life"] - (packet == "hit"))
    return {"life": life, "gold": 50 if packet == "loot" and life == 0 else state["gold"]}


def scrub(**options):
    return lab.Scrub(play, {"life": 2, "gold": 0}, LOG, **options)


def guess():
    return lab.predict("Without one hit?", ["same", "different", "depends"])


def outcome(tried):
    ends = {same for _, same in tried}
    return ("depends", "three hits, two needed.") if len(ends) == 2 else (None, f"tried {tried}")


def test_it_shows_the_state_at_the_start_and_after_each_input():
    one = scrub()
    assert one.names == ["life", "gold"]
    assert one.states == [["2", "0"], ["1", "0"], ["0", "0"], ["0", "0"], ["0", "50"]]
    assert one.end == "Nothing is left out."


def test_an_input_that_is_left_out_changes_nothing_in_its_place():
    one = scrub()
    one.without = [1]  # as the drawing sets it
    assert one.states == [["2", "0"], ["2", "0"], ["1", "0"], ["0", "0"], ["0", "50"]]
    assert one.end == "Without 1, the end is the same as with the whole log."
    one.without = [1, 2]
    assert one.states[-1] == ["1", "0"]
    assert one.end == "Without 1, 2, the end is different."
    one.without = []
    assert one.end == "Nothing is left out."


def test_what_was_tried_is_kept_once_and_in_order():
    one = scrub()
    one.leave_out(2)
    one.leave_out(3, 2)
    one.leave_out()
    one.leave_out(2)
    assert one.tried == [((2,), True), ((2, 3), False)]


def test_a_place_that_the_log_has_not_is_an_error_that_says_so():
    one = scrub()
    with pytest.raises(ValueError, match="the log has the inputs 1 to 4, and no 5"):
        one.leave_out(1, 5)
    with pytest.raises(ValueError, match="and no a int"):  # it has no text
        one.leave_out(10**5000)
    assert one.without == []


def test_it_opens_when_the_prediction_is_answered_or_skipped():
    prediction = guess()
    one = scrub(prediction=prediction)
    assert one.gate == "Without one hit?"
    prediction.answer("same")
    assert one.gate == ""

    prediction = guess()
    one = scrub(prediction=prediction)
    one._handle_msg({"content": {"data": {"method": "custom", "content": "skip"}}, "buffers": []})
    assert prediction.done == "skipped"
    assert one.gate == ""


def test_an_observation_follows_it_and_compares_with_the_prediction():
    prediction = guess()
    one = scrub(prediction=prediction)
    observation = lab.observe(one, outcome)
    assert repr(observation) == "No prediction so far. tried []"
    prediction.answer("same", "certain")
    one.leave_out(1)
    assert observation.verdict["mark"] == "open"
    one.leave_out(1, 2)
    assert observation.verdict["mark"] == "wrong"
    assert observation.verdict["text"] == "It was “depends”: three hits, two needed."


def test_viewers_without_a_kernel_see_all_moments_in_a_table():
    data, _ = scrub()._repr_mimebundle_()
    assert data["text/plain"] == "Scrub over 4 inputs: hit, hit, hit, loot"
    assert data["text/html"].count("<tr>") == 6
    for text in ("the start", "4 loot", "gold", "50"):
        assert f">{text}<" in data["text/html"]
    data, _ = lab.Scrub(play, {"life": 2, "gold": 0}, ["<b>"])._repr_mimebundle_()
    assert "1 &lt;b&gt;" in data["text/html"]
