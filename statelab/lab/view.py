"""Trace rows → what a panel shows, as plain JSON. Pure functions: no world, no widget.

Rules of this file:

1. It reads rows and knows neither world; what rows do not tell (process ids) is given to it.
2. Every word that a learner reads in the drawing is made here, so that it is tested without a
   browser; the JavaScript only places it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from statelab.lab.outcomes import Exchange, requests
from statelab.node import Soft
from statelab.trace import Row

COLUMNS = ("clients", "balancers", "servers", "stores")
MOST_REQUESTS = 200  # in the panel's list: the latest
_STORES = ("store", "database", "redis", "zookeeper", "postgres", "queue", "cache")


# ------------------------------------------------------------------------------- the whole
def panel_state(
    rows: Sequence[Row],
    memory: Sequence[Row] = (),
    *,
    now: float = 0.0,
    columns: Mapping[str, str] | None = None,
    clients: Iterable[str] = (),
    links: Iterable[tuple[str, str]] = (),
    pids: Mapping[str, int | None] | None = None,
    level: int = 1,
) -> dict[str, Any]:
    """What the panel shows after `rows`, as JSON.

    `columns` puts nodes elsewhere than their class's name suggests; `clients` and `links` are
    shown before they first act.
    """
    nodes = _nodes(rows, clients, columns or {})
    _remember(nodes, rows, memory, level)
    senders = [node["name"] for node in nodes.values() if node["column"] == "clients"]
    exchanges = requests(rows, senders)
    shown = [_request(exchange) for exchange in exchanges[-MOST_REQUESTS:]]
    for node in nodes.values():
        node["last"] = next((r for r in reversed(shown) if r["client"] == node["name"]), None)
        node["pid"] = (pids or {}).get(node["name"])
        node["verbs"] = _verbs(node, level)
        node["label"] = ", ".join([node["name"], node["role"], *([node["status"]] * node["lives"])])
    return {
        "now": clock(now),
        "columns": [
            {"name": column, "nodes": inside}
            for column in COLUMNS
            if (inside := [node for node in nodes.values() if node["column"] == column])
        ],
        "links": _links(rows, nodes, links),
        "requests": shown[::-1],
        "earlier": len(exchanges) - len(shown),
        "where": _where(nodes) if level else [],
    }


def clock(time: float) -> str:
    """Seconds as a learner reads them: 2.0 s, 2.25 s."""
    text = f"{time:.2f}"
    return (text[:-1] if text.endswith("0") else text) + " s"


# ------------------------------------------------------------------------------- nodes
def _nodes(rows: Sequence[Row], clients: Iterable[str], columns: Mapping[str, str]) -> dict:
    nodes: dict[str, dict[str, Any]] = {}

    def node(name: str, role: str) -> dict[str, Any]:
        if name not in nodes:
            column = columns.get(name) or _column(role)
            nodes[name] = {
                "name": name, "role": role, "column": column, "status": "up", "life": 1,
                "lives": role != "client", "died": "",
            }  # fmt: skip
        return nodes[name]

    for row in rows:
        if row.kind == "client":
            node(row.node, "client")
        elif row.kind == "start":
            node(row.node, row.data).update(status="up", life=row.life, died="")
        elif row.kind in ("kill", "crash"):
            why = f"died of {row.data}" if row.kind == "crash" else ""
            nodes[row.node].update(status="dead", died=why)
        elif row.kind in ("pause", "resume"):
            nodes[row.node]["status"] = "paused" if row.kind == "pause" else "up"
    for name in clients:
        node(name, "client")
    for one in nodes.values():
        one["lifeword"] = f"{_ordinal(one['life'])} life" if one["life"] > 1 else ""
    return nodes


def _column(role: str) -> str:
    if role == "client":
        return "clients"
    if "balancer" in role.lower():
        return "balancers"
    return "stores" if any(word in role.lower() for word in _STORES) else "servers"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def _verbs(node: dict[str, Any], level: int) -> list[str]:
    if not node["lives"]:
        return []
    verbs = {"up": ["kill", "pause"], "paused": ["kill", "resume"], "dead": ["restart"]}
    return [verb for verb in verbs[node["status"]] if level or verb in ("kill", "restart")]


# ------------------------------------------------------------------------------- memory and disk
def _remember(nodes: dict, rows: Sequence[Row], memory: Sequence[Row], level: int) -> None:
    """Gives each node its `memory` and `disk`, and `kept`: the names of what was ever in them."""
    attributes: dict[str, dict[str, Any]] = {name: {} for name in nodes}
    disks: dict[str, dict[str, Any]] = {name: {} for name in nodes}
    lives = dict.fromkeys(nodes, 1)
    ever: dict[str, set[str]] = {name: set() for name in nodes}
    for row in memory:
        if row.node not in nodes:
            continue
        if row.life != lives[row.node]:
            lives[row.node], attributes[row.node] = row.life, {}
        changed, went = row.data
        attributes[row.node].update(changed)
        for name in went:
            attributes[row.node].pop(name, None)
        ever[row.node].update(
            _plain(key) for key, value in _data(row.node, changed, nodes) if value
        )
    captions = dict.fromkeys(nodes, "memory")
    for row in rows:
        if row.kind == "disk":
            disks[row.node][row.data[0]] = row.data[1] if len(row.data) > 1 else None
            if len(row.data) == 1:
                del disks[row.node][row.data[0]]
        elif row.kind in ("kill", "crash"):
            captions[row.node] = f"memory · lost at {clock(row.time)}"
        elif row.kind == "start" and row.life > 1:
            captions[row.node] = f"memory · new at {clock(row.time)}"
    for name, node in nodes.items():
        data = list(_data(name, attributes[name], nodes))
        if node["life"] != lives[name]:  # its new life has not been looked at yet
            data = []
        if level == 0 and not node["lives"]:
            data = [(key, value) for key, value in data if not key.startswith("port ")]
        lost = node["status"] == "dead"
        node["memory"] = {
            "caption": captions[name],
            "lost": lost,
            "lines": [_line(key, value) for key, value in data if value is not None or lost],
        }
        node["disk"] = [_line(key, value) for key, value in sorted(disks[name].items())]
        node["held"] = [] if lost else [_plain(key) for key, value in data if value]
        node["ever"] = sorted(ever[name])


def _data(name: str, attributes: Mapping[str, Any], nodes: dict) -> Iterable[tuple[str, Any]]:
    """What is remembered, one thing each; a client's connections one by one."""
    for key, value in attributes.items():
        if key == "ports" and not nodes[name]["lives"]:
            for server, port in value.items():
                yield f"port to {server}", port
        else:
            yield key, value


def _plain(key: str) -> str:
    return "port" if key.startswith("port to ") else key


def _where(nodes: dict) -> list[dict[str, Any]]:
    """Each thing that anybody ever remembered, and where it is now."""
    places: dict[str, list[str]] = {}
    for node in nodes.values():
        for name in node.pop("ever"):
            places.setdefault(name, [])
        for name in dict.fromkeys(node.pop("held")):
            places.setdefault(name, []).append(node["name"])
        for line in node["disk"]:
            places.setdefault(line["name"], []).append(f"{node['name']}’s disk")
    return [{"name": name, "places": ", ".join(found)} for name, found in places.items()]


# ------------------------------------------------------------------------------- links, requests
def _links(rows: Sequence[Row], nodes: dict, expected: Iterable[tuple[str, str]]) -> list[dict]:
    """Who talks to whom, and whether a connection is open between them."""
    count: dict[tuple[str, str], int] = dict.fromkeys(expected, 0)
    for row in rows:
        pair = (row.node, row.other)
        if row.kind == "connect":
            count[pair] = count.get(pair, 0) + 1
        elif row.kind == "close":
            count[pair] = max(count.get(pair, 0) - 1, 0)
        elif row.kind in ("kill", "crash"):
            count.update({pair: 0 for pair in count if pair[0] == row.node})
    return [
        {"from": a, "to": b, "open": count[a, b] > 0} for a, b in count if a in nodes and b in nodes
    ]


def _request(exchange: Exchange) -> dict[str, Any]:
    word = exchange.outcome
    if exchange.status is not None:
        word = status_word(exchange.status)
    mark = "wait" if exchange.outcome == "waiting" else "ok" if exchange.ok else "fail"
    what = f"{exchange.method} {exchange.path}".strip() or "not sent"
    body = exchange.answer
    if isinstance(body, dict) and list(body) == ["error"]:
        body = body["error"]
    answer = "" if body is None else plain(body, 60)
    return {
        "id": exchange.message,
        "client": exchange.client,
        "what": what,
        "to": exchange.to,
        "mark": mark,
        "word": word,
        "answer": answer,
        "time": clock(exchange.sent),
        "label": f"{exchange.client}: {what} to {exchange.to} at {clock(exchange.sent)}: {word}",
    }


def status_word(status: int) -> str:
    """A status with its phrase: 401 Unauthorized."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


# ------------------------------------------------------------------------------- news
def news(rows: Sequence[Row], since: int = 0) -> str:
    """What happened from row `since` on, in a sentence or two; for eyes and screen readers."""
    fresh = rows[since:]
    names = [row.node for row in rows if row.kind == "client"]
    tell = {
        "kill": lambda row: f"{row.node} was killed at {clock(row.time)}: its memory is lost.",
        "crash": lambda row: f"{row.node} died at {clock(row.time)} of {row.data}.",
        "pause": lambda row: f"{row.node} was paused at {clock(row.time)}: requests wait.",
        "resume": lambda row: f"{row.node} goes on at {clock(row.time)}.",
        "start": lambda row: (
            f"{row.node} began its {_ordinal(row.life)} life at {clock(row.time)}, "
            "with a new memory."
        ),
    }
    said = [tell[row.kind](row) for row in fresh if row.kind in tell and rows and since]
    begun = {(row.node, row.message) for row in fresh if row.message is not None}
    for exchange in requests(rows, names):
        if (exchange.client, exchange.message) in begun:
            request = _request(exchange)
            said.append(f"{exchange.client}: {request['what']} → {request['word']}.")
    return " ".join(said[-3:])


# ------------------------------------------------------------------------------- values
class _Short(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.maxstring = 22
        self.maxother = 40
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 8
        self.maxlevel = 4

    def repr_Soft(self, value: Soft, level: int) -> str:
        return f"{self.repr1(value.value, level - 1)} until {clock(value.until)}"


_short = _Short()


def shown(value: Any) -> str:
    """A value as one short text."""
    return _short.repr(value).replace("...", "…")


def plain(value: Any, most: int) -> str:
    """A value as one short text, and text without its quotes."""
    if not isinstance(value, str):
        return shown(value)
    return value if len(value) <= most else value[: most - 1] + "…"


def _line(name: str, value: Any) -> dict[str, Any]:
    full = repr(value)
    line = {"name": name, "text": plain(value, 16) if name == "token" else shown(value)}
    line["token"] = name == "token"
    line["full"] = full if len(full) <= 400 else full[:399] + "…"
    return line
