"""A slider in JupyterLab: it hides its picture while it is there; without a kernel that stays."""

import nbformat
import pytest

pytestmark = pytest.mark.browser

SLIDER = """
from matplotlib.figure import Figure

from statelab import lab


def line(height):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, height])
    return lab.Plot(figure, f"up to {height}")


lab.Slider("height", [1, 2, 3], line, value=2)
"""


def test_one_sees_the_slider_alone_and_without_a_kernel_its_picture(opened, folder):
    cells = [nbformat.v4.new_code_cell(SLIDER.strip(), id="slider")]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "slider.ipynb")
    lab = opened("slider.ipynb")
    page = lab.page
    pictures = page.locator("img[alt='up to 2']")
    page.locator(".sl-slider img").wait_for()
    assert [picture.is_visible() for picture in pictures.all()] == [False, True]
    page.locator(".sl-slider .noUi-handle").press("ArrowRight")
    page.locator(".sl-slider img[alt='up to 3']").wait_for()

    lab.save_and_open_without_kernel("slider.ipynb")
    pictures.first.wait_for()
    assert pictures.first.evaluate("(image) => image.complete && image.naturalWidth > 0")
