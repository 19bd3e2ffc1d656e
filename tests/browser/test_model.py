"""What the page's script computes, in the browser that runs it."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import pytest
from tests.timelines import exchanges, timeline

from keptalive.render.html.timeline import data

pytestmark = pytest.mark.complete

MODEL = (resources.files("keptalive.render.html") / "assets" / "timeline_model.js").read_text()


@pytest.fixture
def model(browser):
    """Evaluates an expression; ``model`` is the timeline's."""
    page = browser.new_page()
    page.add_script_tag(content=MODEL)

    def evaluate(expression, report=None):
        known = json.dumps(data(report or timeline()))
        return page.evaluate(
            f"() => {{ const model = timelineModel({known}); return {expression}; }}"
        )

    yield evaluate
    page.close()


def test_requests_are_sorted_into_the_lanes_of_their_connections(model):
    assert model("Array.from(model.first)") == [0, 2, 4, 6]
    assert model("Array.from(model.start)") == [0, 1, 4.9, 6, 0.5, 1]


def test_a_request_without_an_end_lasts_until_the_next_or_the_end_of_its_connection(model):
    report = replace(
        timeline(),
        exchanges=exchanges(
            (1, 1.0, None, None, "GET", "/", None, 7, None),
            (1, 2.0, None, None, "GET", "/", None, 7, None),
        ),
    )
    assert model("Array.from(model.release)", report) == [2, 5]


def test_the_phases_of_opening_follow_one_another(model):
    phases = model("openingOf(model, 1)")
    assert [name for name, *_ in phases] == ["dns", "connect", "ca_bundle", "tls"]
    assert phases[0][1] == 5
    assert phases[-1][2] == pytest.approx(5.1)


def test_rows_are_grouped_by_route_and_process_with_the_lanes_that_would_be_enough(model):
    kinds = model("rowsOf(model).map((row) => row.kind)")
    assert kinds == ["heading", "lane", "lane", "enough", "perfect", "heading", "lane"]
    assert model("rowsOf(model)[4].requests.ends.length") == 4
    assert model("rowsOf(model, {cause: 1}).map((row) => row.kind)") == ["heading", "lane"]


def test_requests_that_overlap_need_a_lane_each(model):
    report = replace(
        timeline(),
        exchanges=exchanges(
            *((one, 1.0, 1.5, 2.0, "GET", "/", 200, 7, None) for one in (1, 2)),
        ),
    )
    # more than the report counts as enough, as streams that are read late: lanes without requests
    assert model("perfectLanes(model, {route: 0, lanes: [0, 1]})", report) == [[]]


def test_only_one_request_is_drawn_for_a_pixel(model):
    many = [(1, n / 1000, n / 1000, (n + 1) / 1000, "GET", "/", 200, 7, None) for n in range(5000)]
    report = replace(timeline(), exchanges=exchanges(*many))
    drawn = """(() => {
      const pixels = [];
      const view = {from: 0, to: 5, scale: 100};
      const end = (at) => Math.floor(model.release[at] * view.scale);
      eachMark(model, requestsOf(model, 0), view, (at) => pixels.push(end(at)));
      return pixels;
    })()"""
    pixels = model(drawn, report)
    assert len(pixels) == len(set(pixels))
    assert 450 <= len(pixels) <= 501


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0042, "4.2 ms"),
        (0.29, "290 ms"),
        (3.84, "3.8 s"),
        (940, "15 min 40 s"),
        (7200, "2 h"),
    ],
)
def test_times_are_written_as_everywhere(model, seconds, text):
    assert model(f"timeText({seconds})") == text


@pytest.mark.parametrize("length", [0.001, 0.4, 7, 90, 4000, 100_000])
def test_the_axis_has_round_times_that_do_not_crowd(model, length):
    ticks = model(f"ticksOf({{from: 0, to: {length}}}, 1000).ticks")
    assert 2 <= len(ticks) <= 12
    assert ticks[0] == 0


@pytest.mark.parametrize("start", [0, 0.5, 12.3, 59.9999, 90.5, 3725.25, 90_000])
@pytest.mark.parametrize("length", [1e-4, 0.003, 0.2])
def test_however_deep_one_looks_each_time_on_the_axis_is_another(model, start, length):
    view = f"{{from: {start}, to: {start + length}}}"
    texts = model(
        f"(() => {{ const {{ticks, step}} = ticksOf({view}, 1000);"
        " return ticks.map((tick) => tickText(tick, step)); })()"
    )
    assert 2 <= len(texts) == len(set(texts))


@pytest.mark.parametrize(
    ("seconds", "step", "text"),
    [
        (0, 1e-5, "0 s"),
        (0.00042, 1e-5, "0.42 ms"),
        (12.30001, 1e-5, "12.30001 s"),
        (59.99999, 1e-5, "59.99999 s"),
        (120, 1e-5, "2 min"),
        (3725.5, 0.5, "1 h 2 min 5.5 s"),
        (-0.5, 0.5, "-500 ms"),
        (150, 30, "2 min 30 s"),
    ],
)
def test_times_on_the_axis_are_exact_to_its_step(model, seconds, step, text):
    assert model(f"tickText({seconds}, {step})") == text
