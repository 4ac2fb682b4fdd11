"""The clients of a live world: who calls for them, and what the trace tells of them."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from typing import Any

from statelab.checked import DEFAULT_TIMEOUT, YOU, checked_name
from statelab.client import Client, Pending, keep_token, with_token
from statelab.effects import Call, WrongState
from statelab.live.driver.driver import Driver
from statelab.live.driver.merge import Source
from statelab.live.transport.http_client import Caller
from statelab.message import IP, NoReply, Refused, Response, shown


class Clients:
    """All clients of one world by name, on the loop's thread.

    A client's memory is its ports and its token.
    """

    def __init__(self, driver: Driver):
        self.callers = driver.where.callers
        self._driver = driver
        self._numbers = itertools.count(1)
        self._sources: dict[str, Source] = {}
        self._tokens: dict[str, str | None] = {}
        self._told: dict[str, dict[str, Any]] = {}  # the memory as the trace knows it

    async def make(self, name: str, port: int | None) -> None:
        """Makes the client of that name, if need be; its connections come from `port`."""
        driver = self._driver
        if port is None and name in self.callers:
            return  # two threads asked for the same new client
        if name in driver.where.hosts:
            raise WrongState(f"{name} is a node; a client needs a name of its own")
        if port is not None:
            await driver.links.settled()  # whoever had the port may have closed just now
            self._check_free(port)
        if name in self.callers:
            self.callers[name].close_all()
        else:
            driver.where.add_caller(self._caller(name))
        self.callers[name].port = port
        self.callers[name].record("client", None, None, None, port)
        driver.rows.flush()

    def _caller(self, name: str) -> Caller:
        driver, told = self._driver, self._driver.told
        source = self._sources[name] = driver.rows.source(name, 1)

        def record(kind: str, *args: Any) -> int:
            index = driver.rows.record(source, kind, *args)
            self._look(name)
            return index

        return Caller(
            name, f"client{next(self._numbers)}.", asyncio.get_running_loop(),
            driver.where.book.__getitem__, record, LivePending.go_on, told["secret"],
            told["relay"], set(driver.links.of(name)),
        )  # fmt: skip

    def _check_free(self, port: int) -> None:
        """Raises WrongState if a connection uses the port, ValueError if there is no such port."""
        if type(port) is not int or not 1 <= port <= 65535:
            raise ValueError(f"port {shown(port)} is not an int from 1 to 65535")
        for caller in self.callers.values():
            for server, used in caller.ports().items():
                if used == port:
                    whose = f"{caller.name}'s connection to {server}"
                    raise WrongState(f"port {port} is in use by {whose}")
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((IP, port))
            except OSError as wrong:
                text = f"port {port} is in use by another program: {wrong}"
                raise WrongState(text) from None

    async def reconnect(self, name: str) -> None:
        """Closes a client's connections."""
        self.callers[name].close_all()
        self._driver.rows.flush()
        await self._driver.links.settled()

    def memory(self, name: str) -> dict[str, Any]:
        """What a client keeps."""
        return {"ports": self.callers[name].ports(), "token": self._tokens.get(name)}

    def ended(self, client: Client, cause: int, pending: LivePending) -> None:
        """A request has ended: `pending` hears of it when the row that tells so is in the trace."""
        self._tokens[client.name] = client.token
        self._look(client.name)
        self._driver.rows.after(self._sources[client.name], cause, pending.end)
        self._driver.rows.flush_soon()

    def _look(self, name: str) -> None:
        source, told = self._sources[name], self._told.get(name, {})
        if name in self.callers:
            memory = self._told[name] = self.memory(name)
            changed = {key: value for key, value in memory.items() if told.get(key, 0) != value}
            if changed:
                self._driver.rows.record(source, "memory", data=(changed, ()))


class LivePending(Pending):
    """A request under way, with the face of a Task: it goes on when that has ended."""

    __slots__ = ("_client", "_clients", "_result", "cause", "ended")

    def __init__(self, world: LiveClients, clients: Clients, client: Client):
        super().__init__(world, client.name)
        self.cause: int | None = None
        self.ended = threading.Event()
        self._clients = clients
        self._client = client

    def go_on(self, value: Response | None, error: Refused | NoReply | None) -> None:
        """What it waited for is there; nobody hears of it before the trace does."""
        self._result = value if error is None else error
        if value is not None:
            keep_token(self._client, value)
        self._clients.ended(self._client, self.cause, self)

    def end(self) -> None:
        """Lets those go on who wait for it."""
        self.outcome = self._result
        self.ended.set()


class LiveClients:
    """The verbs of a live world that concern its clients."""

    _driver: Driver

    def __init__(self):
        self._callers = Clients(self._driver)
        self._clients: dict[str, Client] = {}

    def call(
        self,
        to: str,
        path: str = "/",
        body: Any = None,
        *,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        wait: bool = True,
    ) -> Response | Pending:
        """Sends one request as client `you`, on a fresh connection; else like `Client.send`."""
        you = self._clients.get(YOU) or self.client(YOU)
        pending = self._request(you, Call(to, path, body, method, headers, timeout), once=True)
        return pending.result() if wait else pending

    def client(self, name: str, port: int | None = None) -> Client:
        """The client of that name, made if need be.

        With `port`, its next connections come from that port. Raises WrongState if the name is a
        node's, or the port is in use.
        """
        if checked_name(name, "a client") not in self._clients or port is not None:
            self._driver.loop.do(self._callers.make(name, port))
            self._clients.setdefault(name, Client._of(self, name))
        return self._clients[name]

    # --------------------------------------------------------------------------- of a client
    def _request(self, client: Client, call: Call, once: bool = False) -> Pending:
        driver = self._driver
        driver.where.book[call.to]  # raises UnknownNode
        call.headers = with_token(client, call.headers)
        pending = LivePending(self, self._callers, client)
        driver.loop.submit(self._callers.callers[client.name].call, pending, call, once)
        return pending

    def _wait(self, pending: LivePending) -> None:
        loop = self._driver.loop
        if loop.is_here:
            raise RuntimeError("a watcher waits for an answer on the thread that would bring it")
        loop.check_process()
        with loop.asking():
            loop.wait(pending.ended.wait)

    def _reconnect(self, client: Client) -> None:
        self._driver.loop.do(self._callers.reconnect(client.name))

    def _ports(self, client: Client) -> dict[str, int]:
        return self._callers.callers[client.name].ports()
