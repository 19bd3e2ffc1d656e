"""plan -> rounds of programs -> run: each program once a round, in random order, under watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar

from keptalive.bench.answers import DisagreementError
from keptalive.bench.machine import environment
from keptalive.bench.plan import Plan
from keptalive.bench.plan_checks import LOOKALIKE
from keptalive.bench.programs.execution import Execution, execute
from keptalive.bench.programs.outputs import Outputs
from keptalive.bench.programs.plan import URL, Variant, variants_of
from keptalive.bench.programs.trial import (
    Accepts,
    disagreement,
    trial_of,
    without_most_connections,
)
from keptalive.bench.rounds import Rounds, Turn
from keptalive.bench.serving import Served, served
from keptalive.causes import judge
from keptalive.errors import TargetError, UsageError
from keptalive.lookalike.process import Lookalike
from keptalive.records.plain import with_texts
from keptalive.records.report import Report
from keptalive.records.run import About, Trace, Trial
from keptalive.redaction import redact, shown
from keptalive.run.final_report import environment_of

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
_TUNED = "each plain HTTPAdapter is a TunedAdapter with the program's own settings"


@contextmanager
def serving(plan: Plan) -> Iterator[tuple[Served | None, Sequence[str]]]:
    """The test server of a plan whose programs need one, and what is to be said of it."""
    if plan.target != LOOKALIKE:
        yield None, ()
        return
    with served(plan) as ours:
        yield ours, ours.notes()


@dataclass(slots=True, kw_only=True)
class ProgramBench(Rounds):
    """One run of a plan's programs.

    Attributes:
        served: the test server, if the plan names a scenario; None: the programs send their
            requests where they like.
    """

    traced_round: ClassVar[float] = 0.0  # each trial is traced, and none has to be made for it

    served: Served | None = None
    _variants: Mapping[str, Variant] = field(init=False)
    _abouts: Mapping[str, About] = field(init=False)
    _outputs: Outputs = field(default_factory=Outputs)
    _reports: dict[tuple[str, str], Report] = field(default_factory=dict)
    _versions: dict[str, Any] = field(default_factory=dict)
    _warnings: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._variants = variants_of(self.plan.program)
        self._abouts = {
            name: About(
                label=one.label,
                settings=f"{one.program.shown}; {_TUNED if one.tuned else 'as it is'}",
            )
            for name, one in self._variants.items()
        }

    def contestants(self) -> Mapping[str, About]:
        return self._abouts

    def scenarios(self) -> Sequence[str]:
        return self.plan.scenarios

    def environment(self) -> Mapping[str, Any]:
        server = "test server that imitates api.github.com"
        return {
            "target": server if self.lookalike else "your programs' own",
            **environment(),
            **self._versions,
            "rtt_ms": self.plan.rtt_ms if self.lookalike else None,
            **(self.served.facts() if self.served else {}),
            "ca_certificates": self.lookalike.certificates if self.lookalike else None,
        }

    @property
    def lookalike(self) -> Lookalike | None:
        """The test server, if there is one."""
        return self.served.lookalike if self.served else None

    def notes(self) -> tuple[str, ...]:
        return (*self._outputs.notes(), *self._warnings)

    def trial(self, turn: Turn) -> Trial:
        variant = self._variants[turn.name]
        before = self._accepted(turn.scenario)
        done = execute(
            self._words(variant, turn.scenario),
            tuned=variant.tuned,
            variables=self._variables(),
        )
        after = self._accepted(turn.scenario)
        self._check(variant, done)
        report = _report_of(done)
        accepts = (
            Accepts(url=self.lookalike.url(turn.scenario), count=after - before)
            if self.lookalike
            else None
        )
        trial = trial_of(turn, done.ran, report, accepts)
        if (difference := disagreement(trial, done.ran, accepts)) is not None:
            raise DisagreementError(
                f"The counts disagree ({variant.label}, round {turn.round}): {difference}."
            )
        self._outputs.add(turn.scenario, variant.program.name, done.output, tuned=variant.tuned)
        self._reports[turn.scenario, turn.name] = report
        self._versions = environment_of(done.ran.processes)
        self._warnings |= dict.fromkeys(f"{variant.label}: {line}." for line in done.ran.warnings)
        return trial

    def traced(self, turn: Turn) -> Trace | None:
        """The report of the last trial: each one was watched."""
        report = self._reports[turn.scenario, turn.name]
        return Trace(
            scenario=turn.scenario, strategy=turn.name, report=without_most_connections(report)
        )

    def _accepted(self, scenario: str) -> int:
        return self.lookalike.accepted(scenario) if self.lookalike else 0

    def _words(self, variant: Variant, scenario: str) -> list[str]:
        url = self.lookalike.url(scenario) if self.lookalike else URL
        return [word.replace(URL, url) for word in variant.program.command]

    def _variables(self) -> dict[str, str]:
        if self.lookalike is None:
            return {}
        bundle = dict.fromkeys(_BUNDLES, str(self.lookalike.ca_bundle))
        return {**bundle, **dict.fromkeys(_TOKENS, self.lookalike.token)}

    def _check(self, variant: Variant, done: Execution) -> None:
        """Stop for a program that fails, or of which nothing is seen.

        Raises:
            TargetError: it has failed.
            UsageError: no request of it was seen.
        """
        code, how = done.ran.exit_code, " with tuned Sessions" if variant.tuned else ""
        if code:
            said = shown(done.last_error_line)[:200]
            raise TargetError(
                f"{variant.program.name} ended with exit code {code}{how}{said and f': {said}'}\n"
                "Next: mend it, or its command; what a failing program does is not measured."
            )
        if not any(record.hosts for record in done.ran.records):
            why = f" ({done.ran.warnings[0]})" if done.ran.warnings else ""
            raise UsageError(
                f"{variant.program.name} sent no request through requests or urllib3{why}.\n"
                "Next: keptalive run, with the same command, says more."
            )


def _report_of(done: Execution) -> Report:
    report = judge.report(done.ran.records, source="bench", warnings=done.ran.warnings)
    hidden: Report = with_texts(report, cache(redact))
    return replace(hidden, seconds=done.ran.seconds)
