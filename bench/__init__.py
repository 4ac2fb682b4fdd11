"""Measures statelab side by side with simpy, and against what it promises. `python3 -m bench`."""
