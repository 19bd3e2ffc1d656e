"""A result file back into the model's records, of this schema or an earlier one.

Whatever else the file may be, it gets one line that says so. Numbers are checked as far as anything
is calculated from them.
"""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from keptalive.errors import UsageError
from keptalive.model import Counts, Interval, Run, StrategySummary, Trial, Witnesses
from keptalive.redaction import redact
from keptalive.results.writing import SCHEMA, without_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A result that was read: the run, and what its file says of code, time and machine.

    ``commit`` is None where the run was made outside of a repository.
    """

    path: Path
    schema: int
    run: Run
    made: str
    commit: str | None
    machine: str


def read(path: Path) -> Saved:
    """The result in this file.

    Raises:
        UsageError: it cannot be read, is no result, is damaged, or of a newer schema.
    """
    text = _text(path)
    with _no_collecting():
        whole = _json(path, text)
        del text
        ours = _ours(path, whole)
        try:
            return _saved(path, whole, ours)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            told = f"there is no {error}" if isinstance(error, KeyError) else str(error)
            raise UsageError(f"The result {path} is damaged: {told}.") from None


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Without the cycle collector, which would look again and again at what is only growing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


# -- What the file is ----------------------------------------------------------------------------


def _text(path: Path) -> str:
    if path.is_char_device() or path.is_block_device():
        raise UsageError(f"{path} is a device, not a result.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a result: it is not text.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if not text.strip():
        raise UsageError(f"{path} is not a result: it is empty.")
    return text


_TAIL = 6  # a constant that is cut off is noticed up to so many characters before the end


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at_the_end = error.pos >= len(text.rstrip()) - _TAIL or "Unterminated" in error.msg
        if text.lstrip().startswith("{") and at_the_end:
            raise UsageError(f"The result {path} is cut off in line {error.lineno}.") from None
        raise UsageError(
            f"{path} is not a result: it is not JSON (line {error.lineno}: {error.msg})."
        ) from None
    except (RecursionError, ValueError):
        raise UsageError(f"{path} is not a result: its JSON is none of ours.") from None


def _ours(path: Path, whole: Any) -> Mapping[str, Any]:
    ours = whole.get("keptalive") if isinstance(whole, dict) else None
    if not isinstance(ours, dict) or "schema" not in ours:
        plain = isinstance(whole, dict) and "benchmarks" in whole
        what = "a pytest-benchmark file without keptalive's part" if plain else "other JSON"
        raise UsageError(
            f"{path} is {what}, not a result of keptalive. Next: keptalive bench makes one."
        )
    schema = ours["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise UsageError(f"The result {path} is damaged: its schema is {schema!r}.")
    if schema > SCHEMA:
        raise UsageError(
            f"The result {path} has schema {schema}; this keptalive reads up to {SCHEMA}. "
            "Next: a newer keptalive."
        )
    return ours


# -- Its parts -----------------------------------------------------------------------------------


def _saved(path: Path, whole: Mapping[str, Any], ours: Mapping[str, Any]) -> Saved:
    commit = whole.get("commit_info", {}).get("id")
    return Saved(
        path=path,
        schema=ours["schema"],
        run=_run(ours),
        made=str(whole["datetime"]),
        commit=None if commit in (None, "unknown", "unversioned") else str(commit),
        machine=_machine(whole, ours["environment"]),
    )


def _machine(whole: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    processor = whole.get("machine_info", {}).get("cpu", {}).get("brand_raw")
    named = (environment.get("system"), processor, f"{environment.get('processors')} processors")
    return ", ".join(str(part) for part in named if part)


def _run(ours: Mapping[str, Any]) -> Run:
    trials = tuple(map(_trial, ours["trials"]))
    strategies = ours["strategies"]
    summary = tuple(map(_summary, ours["summary"]))
    counted = {(trial.scenario, trial.strategy) for trial in trials if not trial.warm_up}
    if counted != {(row.scenario, row.strategy) for row in summary}:
        raise ValueError("its summary is not that of its trials")
    if not {trial.strategy for trial in trials} <= set(map(_clean, strategies)):
        raise ValueError("a trial is of a strategy that it does not name")
    return Run(
        plan=dict(without_secrets(ours["plan"])),
        environment=dict(without_secrets(ours["environment"])),
        labels={_clean(name): _clean(about["label"]) for name, about in strategies.items()},
        settings={_clean(name): redact(about["settings"]) for name, about in strategies.items()},
        trials=trials,
        summary=summary,
        ended=str(ours["ended"]),
        seconds=float(ours["seconds"]),
        stopped_by=_clean_or_none(ours["stopped_by"]),
        disagreements=tuple(map(_clean, ours["disagreements"])),
    )


_COUNTS = tuple(field.name for field in fields(Counts))
_counts_in = itemgetter(*_COUNTS)


@lru_cache(maxsize=1024, typed=True)  # most trials of a strategy count the same
def _counts(*values: Any) -> Counts:
    counts = Counts(**dict(zip(_COUNTS, values, strict=True)))
    if set(map(type, values)) != {int} or min(values) < 0 or not counts.requests:
        raise ValueError(f"a trial's counts are {', '.join(map(repr, values))}")
    return counts


def _trial(raw: Mapping[str, Any]) -> Trial:
    return Trial(
        scenario=_clean(raw["scenario"]),
        strategy=_clean(raw["strategy"]),
        round=int(raw["round"]),
        warm_up=bool(raw["warm_up"]),
        counts=_counts(*_counts_in(raw)),
        witnesses=Witnesses(**raw["witnesses"]),
        seconds=_positive(raw["seconds"]),
        cpu_seconds=float(raw["cpu_seconds"]),
        request_seconds=tuple(map(float, raw["request_seconds"])),
        phases=dict(raw.get("phases", {})),  # schema 1 had none at first
        first_error=_clean_or_none(raw["first_error"]),
    )


@lru_cache(maxsize=256)
def _clean(text: str) -> str:
    """A text of the file as it may be shown: no secret, and nothing that a terminal obeys."""
    return "".join(c if c.isprintable() else " " for c in redact(text))


def _clean_or_none(text: str | None) -> str | None:
    return None if text is None else _clean(text)


def _positive(raw: Any) -> float:
    seconds = float(raw)
    if not 0 < seconds < math.inf:
        raise ValueError(f"a time or a ratio is {raw!r}")
    return seconds


def _summary(raw: Mapping[str, Any]) -> StrategySummary:
    return StrategySummary(
        scenario=_clean(raw["scenario"]),
        strategy=_clean(raw["strategy"]),
        rounds=_at_least_one(raw["rounds"]),
        counts=_counts(*_counts_in(raw)),
        perfect=int(raw["perfect"]),
        seconds_per_request=_needed_interval(raw["seconds_per_request"]),
        p95_s=float(raw["p95_s"]),
        first_request_s=_needed_interval(raw["first_request_s"]),
        later_request_s=_interval(raw["later_request_s"]),
        cpu_seconds_per_request=float(raw["cpu_seconds_per_request"]),
        speedup_vs_fresh=_interval(raw["speedup_vs_fresh"]),
        phases=dict(raw.get("phases", {})),
        warnings=tuple(map(str, raw["warnings"])),
    )


def _at_least_one(raw: Any) -> int:
    if type(raw) is not int or raw < 1:
        raise ValueError(f"a summary's rounds are {raw!r}")
    return raw


def _needed_interval(raw: Mapping[str, Any]) -> Interval:
    bounds = {name: None if raw[name] is None else _positive(raw[name]) for name in ("low", "high")}
    return Interval(median=_positive(raw["median"]), **bounds)


def _interval(raw: Mapping[str, Any] | None) -> Interval | None:
    return None if raw is None else _needed_interval(raw)
