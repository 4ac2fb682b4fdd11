"""The drawings' sources: JavaScript without a build step, and one style for all."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def script(*names: str) -> str:
    """One module made of these files, in their order; only the last one exports."""
    return "\n".join((_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)


def style() -> str:
    """The style sheet of all drawings."""
    return (_FOLDER / "panel.css").read_text(encoding="utf-8")
