"""`keptalive report`: pages and traces of whatever keptalive has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands import keptalive
from tests.render.test_comparison import WORSE
from tests.runs import run

from keptalive import results
from keptalive.render import exports
from keptalive.render.comparison_view import of_results
from keptalive.results.reports import to_json
from keptalive.text import as_json
from tests.timelines import timeline
