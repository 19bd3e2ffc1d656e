"""Pages in a real browser: no complaint, and everything works by mouse, wheel, keys and touch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.hostile.words import HOSTILE
from tests.render.test_comparison import WORSE
from tests.reports import whole
from tests.runs import run
from tests.timelines import connection, exchanges, large, timeline

from keptalive.records.plain import with_texts
from keptalive.records.report import Report
from keptalive.render.comparison_view import of_results
from keptalive.render.html import of_comparison, of_report, of_run

pytestmark = pytest.mark.complete

PAGES = {
    "report": of_report(timeline()),
    "every field": of_report(whole()),
    "bench": of_run(run()),
    "comparison": of_comparison(of_results(WORSE)),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_complaint_and_no_violation_of_accessibility(opened, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    seen = opened(PAGES[name], width=width, color_scheme=scheme)
    assert seen.complaints == []
    found = axe.Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_words_run_nothing(opened):
    words = " ".join(("</script><script>alert(1)</script>", *HOSTILE))
    report = with_texts(timeline(), lambda text: f"{text}{words}")
    seen = opened(of_report(replace(report, source="run", started_at=timeline().started_at)))
    assert seen.complaints == []
    assert seen.page.evaluate("document.scripts.length") == 2
    assert seen.page.locator(".connections tbody tr").count() == 3


def test_a_click_on_a_cause_shows_its_connections(opened):
    seen = opened(PAGES["report"])
    seen.page.click("a[data-cause='idle-timeout']")
    assert seen.view("view.rows.filter((row) => row.kind === 'lane').length") == 1
    assert seen.detail == "1 connection shown."
    assert seen.page.evaluate("document.activeElement.tagName") == "CANVAS"
    assert seen.page.locator("canvas").is_visible()


def test_filters_choose_what_is_shown(opened):
    seen = opened(PAGES["report"])
    lanes = "view.rows.filter((row) => row.kind === 'lane').length"
    assert seen.view(lanes) == 3
    seen.page.select_option("select[data-filter=process]", label="process 2")
    assert seen.view(lanes) == 1
    seen.page.select_option("select[data-filter=process]", label="all")
    seen.page.select_option("select[data-filter=route]", label="https://api.example.com")
    assert seen.view(lanes) == 2


def test_keys_walk_from_request_to_request_and_to_the_table(opened):
    seen = opened(PAGES["report"])
    seen.page.locator("canvas").focus()
    press = seen.page.keyboard.press
    press("ArrowDown")
    assert seen.detail.startswith("Connection 1 to https://api.example.com, local port 40001")
    press("ArrowRight")
    assert seen.detail == (
        "GET /user: 200, sync.py:3. At 0 s on connection 1. "
        "First byte after 300 ms, read in 100 ms."
    )
    press("ArrowRight")
    assert (
        "GET /repos?page: 200, sync.py:9. At 1 s on connection 1, after 600 ms idle." in seen.detail
    )
    press("ArrowDown")
    press("Enter")
    assert seen.page.evaluate("document.activeElement.closest('tr').cells[6].textContent") == (
        "idle-timeout"
    )
    press("Enter")  # on the row's button: back to the picture
    assert seen.page.evaluate("document.activeElement.tagName") == "CANVAS"


def test_wheel_keys_and_buttons_zoom_and_drag_pans(opened):
    seen = opened(PAGES["report"])
    canvas = seen.page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    seen.page.mouse.move(box["x"] + 600, box["y"] + 60)
    seen.page.mouse.click(box["x"] + 600, box["y"] + 60)
    length = "view.to - view.from"
    lengths = [seen.view(length)]
    seen.page.mouse.wheel(0, -300)
    narrower = "(before) => [...timelines.values()].every(({view}) => view.to - view.from < before)"
    seen.page.wait_for_function(narrower, arg=lengths[0])
    lengths.append(seen.view(length))
    seen.page.keyboard.press("+")
    lengths.append(seen.view(length))
    seen.page.click("button[data-does=in]")
    lengths.append(seen.view(length))
    assert all(before > after for before, after in pairwise(lengths))
    start = seen.view("view.from")
    seen.page.mouse.move(box["x"] + 600, box["y"] + 60)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + 500, box["y"] + 60, steps=4)
    seen.page.mouse.up()
    assert seen.view("view.from") > start
    seen.page.keyboard.press("0")
    assert seen.view(length) == pytest.approx(lengths[0])


def test_the_wheel_scrolls_the_page_until_somebody_has_chosen_the_picture(opened):
    seen = opened(PAGES["report"], height=500)
    canvas = seen.page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    before = seen.view("view.to - view.from")
    seen.page.mouse.move(box["x"] + 300, box["y"] + 20)
    seen.page.mouse.wheel(0, -100)
    assert seen.view("view.to - view.from") == before


def test_two_fingers_zoom(opened):
    seen = opened(PAGES["report"], width=390, has_touch=True)
    before = seen.view("view.to - view.from")
    seen.page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas");
          canvas.setPointerCapture = () => {};
          const box = canvas.getBoundingClientRect();
          const send = (type, pointerId, x) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId, pointerType: "touch", clientX: box.left + x, clientY: box.top + 60,
          }));
          send("pointerdown", 1, 150);
          send("pointerdown", 2, 200);
          send("pointermove", 2, 300);
          send("pointerup", 1, 150);
          send("pointerup", 2, 300);
        }"""
    )
    assert seen.view("view.to - view.from") < before


def test_two_fingers_that_go_up_show_what_is_below(opened):
    seen = opened(of_report(several(300)), width=390, has_touch=True)
    assert seen.view("view.top") == 0
    fingers = seen.page.context.new_cdp_session(seen.page)
    box = seen.page.locator("canvas").bounding_box()
    seen.page.evaluate(f"scrollTo(0, {box['y']})")

    def touch(kind: str, *ys: int) -> None:
        points = [{"x": 100 + 100 * n, "y": y, "id": n} for n, y in enumerate(ys)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 400, 400)
    for y in range(380, 180, -20):
        touch("touchMove", y, y)
    touch("touchEnd")
    seen.page.wait_for_function("[...timelines.values()][0].view.top > 100")
    length = seen.view("view.to - view.from")
    assert length == pytest.approx(seen.view("view.model.seconds * 1.025"), rel=0.05)


def test_zooming_out_at_an_end_shows_all_again(opened):
    seen = opened(PAGES["report"])
    for step in ("for (let n = 0; n < 40; n += 1) view.zoom(2)", "view.pan(1e9)"):
        seen.view(f"(() => {{ {step} }})()")
    assert seen.view("view.to - view.from") == pytest.approx(1e-4)
    seen.view("(() => { for (let n = 0; n < 40; n += 1) view.zoom(1 / 2) })()")
    assert seen.view("[view.from <= 0, view.to >= view.model.seconds]") == [True, True]


def test_filters_that_leave_nothing_say_so(opened):
    seen = opened(PAGES["report"])
    seen.page.select_option("select[data-filter=process]", label="process 2")
    seen.page.select_option("select[data-filter=cause]", label="idle-timeout")
    assert seen.detail == "0 connections shown."
    assert seen.page.locator(".connections tbody tr").count() == 0
    for key in ("ArrowDown", "ArrowRight", "Enter", "+", "]", "PageDown"):
        seen.page.locator("canvas").press(key)
    assert seen.complaints == []


def test_many_groups_of_few_connections_keep_lanes_that_can_be_seen(opened):
    seen = opened(of_report(several(60)))
    assert seen.view("view.rows.filter((row) => row.kind === 'heading').length") == 20
    assert seen.view("view.laneHeight") >= 7


def test_a_request_that_took_less_than_a_pixel_is_seen(opened):
    report = replace(
        timeline(),
        connections=(connection(1, 0.0, ended_s=9.0),),
        exchanges=exchanges((1, 5.0, 5.00001, 5.00002, "GET", "/", 200, 7, None)),
    )
    seen = opened(of_report(report))
    at = "Math.round(view.x(5)), Math.round(26 + view.tops[1] + view.laneHeight / 2)"
    assert seen.view(f"[...view.context.getImageData({at}, 1, 1).data]") == [47, 127, 208, 255]


def test_on_paper_the_picture_is_light_and_has_all_lanes(opened):
    seen = opened(of_report(several(60)), color_scheme="dark")
    corner = "[...view.context.getImageData(2, 2, 1, 1).data]"
    dark, tall = seen.view(corner), seen.view("view.tall > view.height")
    assert (dark, tall) == ([20, 24, 31, 255], True)
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen.view(corner) == [255, 255, 255, 255]
    assert seen.view("[view.width, view.tall <= view.height]") == [698, True]
    seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert seen.view(corner) == dark
    assert seen.view("view.width") > 700


def test_without_scripts_the_page_has_a_table_in_place_of_the_picture(browser, tmp_path):
    (tmp_path / "page.html").write_text(PAGES["report"])
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    rows = page.locator("noscript .connections tbody tr")
    assert rows.count() == 3
    assert "idle-timeout" in rows.nth(1).inner_text()
    hidden = ("canvas", ".controls", ".keys", "a[data-timeline]")
    assert [page.locator(one).first.is_visible() for one in hidden] == [False] * 4
    context.close()


def several(count: int) -> Report:
    """Connections of many processes, three in each."""
    opened = tuple(connection(n, n / 10, process=n // 3, served=1) for n in range(count))
    rows = [(n, n / 10, n / 10 + 0.2, n / 10 + 0.3, "GET", "/", 200, 7, 0) for n in range(count)]
    return replace(timeline(), connections=opened, exchanges=exchanges(*rows))


def test_hovering_tells_the_request(opened):
    seen = opened(PAGES["report"])
    canvas = seen.page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = seen.view("view.x(1.2)"), seen.view("26 + view.tops[1] + view.laneHeight / 2")
    seen.page.mouse.move(box["x"] + x, box["y"] + y)
    assert seen.detail.startswith("GET /repos?page: 200, sync.py:9.")


def test_a_page_of_100_000_requests_opens_and_pans_smoothly(opened):
    text = of_report(large())
    assert len(text) < 12_000_000
    seen = opened(text)
    assert seen.complaints == []
    # At most one mark a pixel for each of the lanes that are seen, however deep one looks
    drawn = seen.page.evaluate(
        """() => {
          const view = [...timelines.values()][0].view;
          let marks = 0;
          view.context.fillRect = () => { marks += 1; };
          view.paint();
          return [marks, 2 * view.plotWidth * view.height / view.laneHeight];
        }"""
    )
    assert 0 < drawn[0] <= drawn[1]
