"""A CA bundle with one certificate, so that a test does not pay for loading all the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keptalive.lookalike.process import Lookalike

BEGIN = "-----BEGIN CERTIFICATE-----"


def trim(lookalike: Lookalike) -> Lookalike:
    """Leave in its CA bundle only the authority that signed its certificate, which is the last."""
    bundle = lookalike.ca_bundle
    bundle.write_text(BEGIN + bundle.read_text().rpartition(BEGIN)[2])
    return lookalike


@contextmanager
def started(start: Any, *arguments: Any, **named: Any) -> Iterator[Lookalike]:
    """In the place of `Lookalike.start`, which is the first argument."""
    with start(*arguments, **named) as lookalike:
        yield trim(lookalike)
