"""The examples of docs/faq.md that need other packages run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keptalive.lookalike.process import Lookalike

pytestmark = pytest.mark.complete

PAGE = (Path(__file__).parents[2] / "docs" / "faq.md").read_text()
IMPORTS = PAGE.partition("```python\n")[2].partition("```")[0]
EXAMPLES = dict(re.findall(r"<!-- needs: (\w+) -->\n```python\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize("package", EXAMPLES)
def test_an_example_that_needs_another_package_runs(package, monkeypatch, serve):
    pytest.importorskip(package)
    empty = b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"

    def buckets(peer):
        while peer.request() is not None:
            peer.respond(body=empty)

    with Lookalike.start(["keep-alive"]) as lookalike:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(lookalike.ca_bundle))
        host = lookalike.url("keep-alive").removeprefix("https://")
        text = IMPORTS + EXAMPLES[package].replace("api.github.com", host)
        exec(compile(text, "faq.md", "exec"), {"endpoint": serve(buckets).url})
