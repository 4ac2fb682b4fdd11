"""A trace as a picture: `sequence(trace)` is a sequence diagram, an SVG that is always the same."""

from statelab.diagrams.diagram import Diagram, sequence

__all__ = ["Diagram", "sequence"]
