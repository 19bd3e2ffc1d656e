"""The child's side of the JSON lines: set up what the first line asks for, then answer questions.

`process` has the other side. Each message is one object on one line; an answer carries the
question's `id`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    first = await questions.readline()
    if not first:
        return
    listeners, facts = _set_up(json.loads(first), loop)
    _say(facts)
    async for line in questions:
        question = json.loads(line)
        answer = await _answer(question, listeners)
        _say({"id": question["id"], "answer": answer})


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
        )
        for text in wanted["scenarios"]
    }
    certificates = authority.write_bundle(Path(wanted["ca_bundle"]))
    urls = {text: listener.url for text, listener in listeners.items()}
    return listeners, {"urls": urls, "certificates": certificates}


async def _answer(question: Mapping[str, Any], listeners: Mapping[str, Listener]) -> float:
    match question["ask"]:
        case "accepted":
            listener = listeners[question["scenario"]]
            listener.drain()
            return listener.accepted
        case "skip":
            await listeners[question["scenario"]].skip(question["seconds"])
            return 0
        case "cpu_seconds":
            return time.process_time()
        case unknown:
            raise ValueError(f"the parent asked {unknown!r}")


def _say(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
