"""What tests of a watch share."""

from __future__ import annotations

import pytest

from keptalive.lookalike.process import Lookalike


@pytest.fixture(scope="module")
def bundle(lookalike: Lookalike, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one authority that matters: to load the look-alike's all would take most of the time."""
    begin = "-----BEGIN CERTIFICATE-----"
    last = lookalike.ca_bundle.read_text().rpartition(begin)[2]
    path = tmp_path_factory.mktemp("bundle") / "ca.pem"
    path.write_text(begin + last)
    return str(path)
