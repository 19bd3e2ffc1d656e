"""The server's process: it serves what the first JSON line says, then carries out commands.

`process` is the other side. Each message is one object on one line; a reply has the ``id`` of its
command.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keptalive.lookalike.address import Address
from keptalive.lookalike.behaviour import parse_scenario
from keptalive.lookalike.loop import new_event_loop
from keptalive.lookalike.server import Listener, end_loop
from keptalive.lookalike.tls import Authority


def main() -> None:
    """Serve until standard input ends."""
    loop = new_event_loop()
    try:
        loop.run_until_complete(_serve(loop))
    finally:
        end_loop(loop)


async def _serve(loop: asyncio.AbstractEventLoop) -> None:
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    first = await commands.readline()
    if not first:
        return
    listeners, facts = _set_up(json.loads(first), loop)
    _write(facts)
    async for line in commands:
        command = json.loads(line)
        result = await _carry_out(command, listeners)
        _write({"id": command["id"], "result": result})


def _set_up(
    wanted: Mapping[str, Any], loop: asyncio.AbstractEventLoop
) -> tuple[dict[str, Listener], dict[str, object]]:
    authority = Authority()
    context = authority.server_context()
    listeners = {
        text: Listener(
            parse_scenario(text),
            context=context,
            loop=loop,
            rtt_ms=wanted["rtt_ms"],
            rate_limit=wanted["rate_limit"],
            address=Address(*wanted["address"]),
        )
        for text in wanted["scenarios"]
    }
    certificates = authority.write_bundle(Path(wanted["ca_bundle"]))
    urls = {text: listener.url for text, listener in listeners.items()}
    return listeners, {"urls": urls, "certificates": certificates}


async def _carry_out(command: Mapping[str, Any], listeners: Mapping[str, Listener]) -> float:
    match command["command"]:
        case "accepted":
            listener = listeners[command["scenario"]]
            listener.accept_waiting()
            return listener.accepted
        case "skip":
            await listeners[command["scenario"]].skip(command["seconds"])
            return 0
        case "cpu_seconds":
            return time.process_time()
        case unknown:
            raise ValueError(f"unknown command {unknown!r}")


def _write(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
