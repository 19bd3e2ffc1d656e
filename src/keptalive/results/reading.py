"""A result file back into the model's records, of this schema or an earlier one.

Whatever else the file may be, it gets one line that says so. Numbers are checked as far as anything
is calculated from them; no text leaves here that a terminal or a CI would obey.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from keptalive.bounded import MIB, json_of, text_of
from keptalive.errors import UsageError
from keptalive.records.run import Counts, Interval, Run, StrategySummary, Trial, Witnesses
from keptalive.redaction import shown
from keptalive.results.writing import SCHEMA


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
            raise UsageError(f"The result {path} is damaged: {_clean(told)}.") from None


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
    try:
        text = text_of(path, limit=LARGEST, what="The result", next_step=_NEXT)
    except FileNotFoundError:
        raise UsageError(f"There is no result {path}. Next: {_NEXT}.") from None
    if not text.strip():
        raise UsageError(f"{path} is not a result: it is empty.")
    return text


# A million and a half requests are in so many bytes. A file made for nothing else, of empty lists,
# takes fifty times its size of memory.
LARGEST = 32 * MIB
_NEXT = "name a result that keptalive bench made"
_TAIL = 6  # a constant that is cut off is noticed up to so many characters before the end


def _json(path: Path, text: str) -> Any:
    try:
        return _cleaned(json_of(text))
    except json.JSONDecodeError as error:
        at_the_end = error.pos >= len(text.rstrip()) - _TAIL or "Unterminated" in error.msg
        if text.lstrip().startswith("{") and at_the_end:
            raise UsageError(f"The result {path} is cut off in line {error.lineno}.") from None
        raise UsageError(
            f"{path} is not a result: it is not JSON (line {error.lineno}: {error.msg})."
        ) from None
    except (RecursionError, ValueError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"The result {path} is damaged: {why}. Next: {_NEXT}.") from None


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
        raise UsageError(f"The result {path} is damaged: its schema is {schema!r:.40}.")
    if schema > SCHEMA:
        raise UsageError(
            f"The result {path} has schema {schema}; this keptalive reads up to {SCHEMA}. "
            "Next: a newer keptalive."
        )
    return ours


# -- Its text ------------------------------------------------------------------------------------

_LONG = ("trials", "benchmarks")  # numbers by the thousand: a trial's few texts are cleaned with it


@lru_cache(maxsize=1024)
def _clean(text: str) -> str:
    return shown(text)


def _cleaned(value: Any) -> Any:
    """The value with every text in it, keys too, as it may be shown; the long lists as they are."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    if isinstance(value, dict):
        return {
            _clean(key): inner if key in _LONG else _cleaned(inner) for key, inner in value.items()
        }
    return value


def _text_of(key: str, raw: Mapping[str, Any]) -> str:
    text = raw[key]
    if not isinstance(text, str):
        raise TypeError(f"its {key} is no text")
    return text


def _texts_of(key: str, raw: Mapping[str, Any]) -> tuple[str, ...]:
    texts = raw[key]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"its {key} are no list of texts")
    return tuple(texts)


# -- Its parts -----------------------------------------------------------------------------------


def _saved(path: Path, whole: Mapping[str, Any], ours: Mapping[str, Any]) -> Saved:
    commit = whole.get("commit_info", {}).get("id")
    return Saved(
        path=path,
        schema=ours["schema"],
        run=_run(ours),
        made=_text_of("datetime", whole),
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
    if not {trial.strategy for trial in trials} <= set(strategies):
        raise ValueError("a trial is of a strategy that it does not name")
    return Run(
        plan=dict(ours["plan"]),
        environment=dict(ours["environment"]),
        labels={name: _text_of("label", about) for name, about in strategies.items()},
        settings={name: _text_of("settings", about) for name, about in strategies.items()},
        trials=trials,
        summary=summary,
        ended=_text_of("ended", ours),
        seconds=float(ours["seconds"]),
        stopped_by=None if ours["stopped_by"] is None else _text_of("stopped_by", ours),
        disagreements=_texts_of("disagreements", ours),
    )


_COUNTS = tuple(field.name for field in fields(Counts))
_MOST = 10**12  # nobody counts so far, or takes so many seconds; and no arithmetic overflows
_counts_in = itemgetter(*_COUNTS)


@lru_cache(maxsize=1024, typed=True)  # most trials of a strategy count the same
def _counts(*values: Any) -> Counts:
    counts = Counts(**dict(zip(_COUNTS, values, strict=True)))
    if set(map(type, values)) != {int} or min(values) < 0 or not counts.requests:
        raise ValueError(f"a trial's counts are {', '.join(map(repr, values))}")
    if max(values) > _MOST:
        raise ValueError(f"a trial counts more than {_MOST:,}")
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


def _clean_or_none(text: str | None) -> str | None:
    return None if text is None else _clean(text)


def _positive(raw: Any) -> float:
    seconds = float(raw)
    if not 1 / _MOST <= seconds <= _MOST:
        raise ValueError(f"a time or a ratio is {raw!r:.40}")
    return seconds


def _summary(raw: Mapping[str, Any]) -> StrategySummary:
    return StrategySummary(
        scenario=_text_of("scenario", raw),
        strategy=_text_of("strategy", raw),
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
        warnings=_texts_of("warnings", raw),
    )


def _at_least_one(raw: Any) -> int:
    if type(raw) is not int or not 1 <= raw <= _MOST:
        raise ValueError(f"a summary's rounds are {raw!r:.40}")
    return raw


def _needed_interval(raw: Mapping[str, Any]) -> Interval:
    bounds = {name: None if raw[name] is None else _positive(raw[name]) for name in ("low", "high")}
    return Interval(median=_positive(raw["median"]), **bounds)


def _interval(raw: Mapping[str, Any] | None) -> Interval | None:
    return None if raw is None else _needed_interval(raw)
