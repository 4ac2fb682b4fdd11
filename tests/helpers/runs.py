"""Other runs than the one that was kept."""

import dataclasses


def with_input(run, time_us, verb, *args):
    """The run with one input more, after those of its time; what it makes is not known."""
    inputs = sorted([*run.inputs, (time_us, verb, *args)], key=lambda item: item[0])
    return unsigned(run, inputs, max(run.horizon_us, time_us))


def until(run, horizon_us):
    """The run up to another time; inputs after it are gone."""
    return unsigned(run, [item for item in run.inputs if item[0] <= horizon_us], horizon_us)


def unsigned(run, inputs, horizon_us):
    return dataclasses.replace(
        run, inputs=tuple(inputs), horizon_us=horizon_us, digest="", fingerprint=""
    )
