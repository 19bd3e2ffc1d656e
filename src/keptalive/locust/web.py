"""Connections on Locust's web page: a tab beside its statistics, and plain data at an address."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, request

from keptalive.locust.messages import ClassCounts
from keptalive.locust.rows import rows
from keptalive.records.plain import as_plain
from keptalive.records.report import Report
from keptalive.results.reports import to_json

TAB = "connections"
_COLUMNS = {
    "name": "Users of class",
    "users": "# Users",
    "requests": "# Requests",
    "failed": "# Fails",
    "median_ms": "Median (ms)",
    "p95_ms": "95%ile (ms)",
    "opened": "Opened",
    "enough": "Enough",
    "unanswered": "Unanswered",
    "reused_percent": "Reused (%)",
}
_STATISTICS = "/stats/requests"  # where Locust's page gets its figures, again and again


def shows(
    web_ui: Any,
    classes: Callable[[], Mapping[str, ClassCounts]],
    report: Callable[[], Report | None],
) -> None:
    """Add the tab, ``/connections`` and ``/connections/report`` to this web page, below its path.

    Args:
        web_ui: Locust's; a login that it asks for holds here too.
        classes: what the users of each class have done so far.
        report: of the last test that has ended.
    """
    base = getattr(web_ui.environment.parsed_options, "web_base_path", None) or ""
    web_ui.template_args |= {
        "extended_tabs": [
            *web_ui.template_args.get("extended_tabs", []),
            {"title": "Connections", "key": TAB},
        ],
        "extended_tables": [
            *web_ui.template_args.get("extended_tables", []),
            {
                "key": TAB,
                "structure": [{"key": key, "title": title} for key, title in _COLUMNS.items()],
            },
        ],
    }

    @web_ui.app.after_request  # type: ignore[untyped-decorator]
    def with_connections(response: Response) -> Response:
        if request.path.endswith(_STATISTICS) and response.is_json:
            figures = response.get_json()
            tables = [*figures.get("extended_stats", []), {"key": TAB, "data": _figures(classes())}]
            response.set_data(json.dumps({**figures, "extended_stats": tables}))
        return response

    @web_ui.app.route(f"{base}/connections")  # type: ignore[untyped-decorator]
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def connections() -> Response:
        return jsonify({"classes": _figures(classes())})

    @web_ui.app.route(f"{base}/connections/report")  # type: ignore[untyped-decorator]
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def connections_report() -> Response:
        found = report()
        if found is None:
            return Response("No test has ended yet.\n", status=404, mimetype="text/plain")
        return Response(to_json(found), mimetype="application/json")


def _figures(classes: Mapping[str, ClassCounts]) -> list[dict[str, Any]]:
    found = [as_plain(one) for one in rows(classes)]
    for one in found:
        if one["reused_percent"] is not None:
            one["reused_percent"] = round(one["reused_percent"], 1)
    return found
