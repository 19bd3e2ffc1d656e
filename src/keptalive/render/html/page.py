"""The page around the pictures: templates, styles, scripts, and what a browser may do with them.

Texts of reports are foreign: URLs, paths, names of exceptions. jinja2 escapes each of them. The
page's Content-Security-Policy lets only the scripts that stand here run, by their hashes, and lets
nothing be loaded at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from keptalive.causes.hosts import cost_of
from keptalive.causes.meaning import meaning_of
from keptalive.compare.verdicts import BETTER, SAME, WORSE
from keptalive.quantities import SHORTEST_S, duration, host_name, many, number
from keptalive.records.plain import with_texts
from keptalive.records.report import UNAVOIDABLE, Report
from keptalive.records.run import Run
from keptalive.redaction import shown
from keptalive.render import bench_figures as figures
from keptalive.render import report_sentences as sentences
from keptalive.render import verdict
from keptalive.render.bench_figures import milliseconds
from keptalive.render.comparison_view import SIDES, View
from keptalive.render.html import bench, charts, timeline
from keptalive.version import VERSION

SCRIPTS = (
    "timeline_model.js",
    "timeline_view.js",
    "timeline_paint.js",
    "timeline_input.js",
    "page.js",
)
STYLES = ("page.css",)
_HIDDEN = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # they turn the direction of text


def of_report(report: Report) -> str:
    """The page of a report of `run`, `watch` or `explain`.

    Args:
        report: as it was made or read; no text in it needs to be trusted.
    """
    report = with_texts(report, lru_cache(maxsize=4096)(_text))  # most come again and again
    drawn = timeline.data(report)
    return _rendered(
        "report.html",
        report=report,
        missing=(drawn["exchanges"] or {}).get("missing", 0),
        table=timeline.table(report),
        costliest=max((host.seconds_opening or 0.0 for host in report.hosts), default=0.0),
        most_opened=max((host.opened or 0 for host in report.hosts), default=0),
        data={"timeline-1": drawn},
    )


def of_run(run: Run, *, made: str = "") -> str:
    """The page of a result of `bench`.

    Args:
        run: as it was made or read; no text in it needs to be trusted.
        made: when it was made.
    """
    run = with_texts(run, lru_cache(maxsize=4096)(_text))
    sections = bench.scenarios(run)
    return _rendered(
        "bench.html",
        run=run,
        made=_text(made),
        said=bench.verdict(run),
        witnesses=bench.witnesses(run),
        threads=figures.threads_of(run),
        unit="run" if bench.is_of_programs(run) else "request",
        scenarios=sections,
        data=bench.data(sections),
    )


def of_comparison(view: View) -> str:
    """The page of a comparison.

    Args:
        view: as it was made or read; no text in it needs to be trusted.
    """
    return _rendered(
        "comparison.html",
        view=with_texts(view, _text),
        sides=SIDES,
        verdicts={WORSE: "bad", BETTER: "good", SAME: "faint"},
        data={},
    )


def _text(text: str) -> str:
    """A text without secrets, control characters, and what turns the direction of text."""
    return _HIDDEN.sub("\ufffd", shown(text))


def _rendered(template: str, *, data: Mapping[str, Any], **values: Any) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            data={name: _json(value) for name, value in data.items()},
            policy=_policy(),
            script=Markup(_script()),  # noqa: S704 - ours, a constant
            style=Markup(_style()),  # noqa: S704 - ours, a constant
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("keptalive.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=duration, host_name=host_name, many=many, number=number, percent=charts.percent
    )
    environment.globals.update(
        UNAVOIDABLE=UNAVOIDABLE,
        SHORTEST_S=SHORTEST_S,
        VERSION=VERSION,
        charts=charts,
        milliseconds=milliseconds,
        cost_of=cost_of,
        meaning_of=meaning_of,
        sentences=sentences,
        verdict=verdict,
    )
    return environment


def _json(value: Any) -> Markup:
    """As JSON inside a script element: no text can end the element, or begin a comment in it.

    html.spec.whatwg.org, "Restrictions for contents of script elements".
    """
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - escaped here


@cache
def _script() -> str:
    return "\n".join(_asset(name).replace('"use strict";\n', "") for name in SCRIPTS)


@cache
def _style() -> str:
    return "\n".join(_asset(name) for name in STYLES)


def _asset(name: str) -> str:
    return (resources.files("keptalive.render.html") / "assets" / name).read_text("utf-8")


def _policy() -> str:
    """Nothing is loaded, and nothing runs but what stands in the page."""
    return (
        f"default-src 'none'; script-src '{_hash(_script())}'; style-src '{_hash(_style())}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
