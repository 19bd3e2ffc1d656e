"""What `make test` leaves to `make test-all`."""

from __future__ import annotations

from typing import Any

import pytest


def complete(*values: Any, **named: Any) -> Any:
    """Parameters of a test that only `make test-all` takes; others, beside them, always run."""
    return pytest.param(*values, marks=pytest.mark.complete, **named)
