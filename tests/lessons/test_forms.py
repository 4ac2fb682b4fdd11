"""By their form alone, nobody answers an exit check, or a prediction, better than by chance."""

import ast
import collections

import lessons
import nbformat
import pytest

from statelab.lab.ask.quiz import questions_in

LONGER = 1.5  # how much longer the longest choice may be than the shortest


def calls(name, function):
    """The calls of `lab.predict` or `lab.quiz` in a lesson."""
    for cell in nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == f"lab.{function}":
                    yield node


def questions():
    """All questions of all exit checks."""
    for name in lessons.names():
        for call in calls(name, "quiz"):
            yield from questions_in(call.args[0].value)


def predictions(name):
    """The choices of each prediction of a lesson."""
    return [ast.literal_eval(call.args[1]) for call in calls(name, "predict")]


def uneven(choices):
    """Whether the choices' lengths may tell: few letters more do not."""
    shortest, *_, longest = sorted(map(len, choices))
    return longest > max(LONGER * shortest, shortest + 12)


def telling(found):
    """What in the form of these questions tells the right choice, as sentences."""
    said = [f"{q.question}: its choices differ in length" for q in found if uneven(q.choices)]
    places = collections.Counter(list(q.choices).index(q.right) for q in found)
    place, often = places.most_common(1)[0]
    if often > 0.45 * len(found):
        said.append(f"choice {place + 1} is right in {often} of {len(found)}")
    for what, key in (("longest", max), ("shortest", min)):
        often = sum(len(q.right) == key(map(len, q.choices)) for q in found)
        if often > 0.4 * len(found):
            said.append(f"the {what} is right in {often} of {len(found)}")
    return said


def test_no_form_tells_the_right_choice_of_an_exit_check():
    found = list(questions())
    assert len(found) >= 33
    assert telling(found) == []


def test_where_the_others_stand_does_not_tell_where_the_last_right_choice_of_a_lesson_is():
    places = [
        [list(q.choices).index(q.right) for q in questions_in(call.args[0].value)]
        for name in lessons.names()
        for call in calls(name, "quiz")
    ]
    all_differ = sum(len(set(one)) == len(one) for one in places)
    assert all_differ <= len(places) / 2, places  # by chance, two in nine


@pytest.mark.parametrize("name", lessons.names())
def test_the_choices_of_a_prediction_are_of_like_length(name):
    assert [choices for choices in predictions(name) if uneven(choices)] == []


@pytest.mark.parametrize("name", lessons.names())
def test_no_stored_output_tells_how_a_prediction_came_out(name):
    notebook = nbformat.read(lessons.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    stored = [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    assert [told for told in stored if "It was “" in told] == []


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ("- no → .\n- nay → .\n+ yes, if it was told so before → .", "differ in length"),
        ("- nooo → .\n- nay → .\n+ yes → .", "choice 3 is right in 3 of 3"),
        ("- no → .\n- nay → .\n+ indeed → .", "the longest is right in 3 of 3"),
        ("- nooo → .\n- nayy → .\n+ yes → .", "the shortest is right in 3 of 3"),
    ],
)
def test_a_form_that_tells_is_seen(choices, said):
    assert any(said in one for one in telling(questions_in(f"Is it?\n{choices}") * 3))
