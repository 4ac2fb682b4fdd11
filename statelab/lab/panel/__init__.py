"""The panel: a widget on a run in either world."""
