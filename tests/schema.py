"""The JSON Schema of reports: what every JSON output of a report is held to.

`python -m tests.schema` writes docs/report.schema.json anew, from the types.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from keptalive.records.plain import as_plain
from keptalive.records.report import Report
from keptalive.results import reports

FILE = Path(__file__).parent.parent / "docs" / "report.schema.json"
COMMAND = "python -m tests.schema"


def text() -> str:
    """What the file has to be."""
    return json.dumps(reports.schema(), indent=2, ensure_ascii=False) + "\n"


@cache
def _validator() -> Any:
    published = json.loads(FILE.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(published)


def validate(report: dict[str, Any]) -> None:
    """Fail unless this is a report as the published schema and the types have it, no key more.

    Args:
        report: what `json.loads` makes of an output.
    """
    _validator().validate(report)
    assert as_plain(msgspec.convert(report, Report)) == report


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
