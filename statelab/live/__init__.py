"""The live world: each node an operating-system process, reached over real HTTP.

`statelab.live.driver.LiveWorld` is the way in. Nothing is imported here, so that a child process
imports no more than it needs.
"""
