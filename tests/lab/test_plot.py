"""A plot that is always the same picture, and a slider whose plot follows it."""

import base64

import pytest
from matplotlib.figure import Figure

from statelab import lab
from statelab.lab.show.plot import hangul_fonts


def line(height, text="a line"):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, height])
    return lab.Plot(figure, text)


def test_equal_data_make_equal_bytes_and_other_data_do_not():
    assert line(1).html == line(1).html != line(2).html


def test_a_plot_is_a_picture_with_its_text_for_those_who_cannot_see_it():
    bundle = line(1, "rises from <0> to 1")._repr_mimebundle_()
    assert bundle["text/html"].startswith('<img alt="rises from &lt;0&gt; to 1"')
    assert bundle["text/plain"] == "<Plot: rises from <0> to 1>"


def test_what_is_measured_is_a_png_with_hangul_where_the_system_has_it():
    if not hangul_fonts():
        pytest.skip("no font here has Hangul")
    figure = Figure(figsize=(2, 1))
    figure.subplots().set_title("시간")
    bundle = lab.Plot(figure, "times", measured=True)._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == "<Plot: times>"
    assert "text/html" not in bundle


def slider(show, value=2):
    return lab.Slider("height", [1, 2, 3], show, value=value, unit="m")


def test_the_plot_and_its_sentence_follow_the_slider():
    one = slider(lambda height: line(height, f"up to {height}"))
    assert "up to 2" in one.shown.value
    assert repr(one) == "Slider: height, from 1 to 3 m. up to 2"
    picture = one.plot.html
    one.control.value = 3
    assert "up to 3" in one.shown.value
    assert one.plot.html != picture


def test_what_viewers_without_a_kernel_see_is_the_plot_in_an_output_before_the_slider(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    one = slider(lambda height: line(height))
    one._ipython_display_()
    still, itself = shown
    assert "<img" in still["text/html"]
    assert "application/vnd.jupyter.widget-view+json" not in still
    assert itself["application/vnd.jupyter.widget-view+json"]["model_id"] == one.model_id
    assert itself["text/plain"] == "Slider: height, from 1 to 3 m. a line"


def test_a_plot_that_fails_later_is_said_where_it_would_stand():
    def show(height):
        if height == 3:
            raise ValueError("too <high>")
        return line(height)

    one = slider(show)
    one.control.value = 3
    assert "could not be drawn" in one.shown.value
    assert "too &lt;high&gt;" in one.shown.value
    one.control.value = 1
    assert "<img" in one.shown.value


def test_a_value_that_is_not_on_the_slider_is_refused():
    with pytest.raises(ValueError, match="none of the values"):
        slider(line, value=4)
