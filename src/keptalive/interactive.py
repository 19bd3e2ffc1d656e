"""`keptalive.watch()` as a person uses it: printed, or shown in a notebook.

What it sees is `keptalive.watching`'s, how that looks `keptalive.render`'s; rich and the judge are
imported when something is shown.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from keptalive.quantities import many
from keptalive.watching import api

WIDTHS = (60, 120)  # columns of what is printed, at least and at most
NOT_BEGUN = "Nothing was watched yet. Next: start(), or with keptalive.watch() as seen."


class Watch(api.Watch):
    """A watch, and what it has seen. `print` shows the report, and so does a notebook.

    with keptalive.watch() as seen:
        sync()
    print(seen)                     # the report as a screen
    seen.report()                   # the same as plain data

    Several cells of a notebook: ``seen = keptalive.watch().start()``, later ``seen.stop()``.
    ``seen.of(response)`` says of one response whether its connection was reused, or why not.

    Args:
        clock: seconds, for every time in the record; the outermost watch's holds.
        timeline: record each request, up to 200,000 of them.
        window_s: as of `watch`.
    """

    def __str__(self) -> str:
        if not self.has_begun:
            return NOT_BEGUN
        from keptalive.render.off_screen import as_text
        from keptalive.render.report_sentences import About

        least, most = WIDTHS
        width = max(least, min(most, shutil.get_terminal_size().columns))
        return as_text(self.result(), About(goes_on=self.is_running), width=width)

    def __repr__(self) -> str:
        state = "running" if self.is_running else "ended" if self.has_begun else "not begun"
        counts = f"{many(self.opened, 'connection')} opened, reused {many(self.reused, 'time')}"
        return f"<keptalive.Watch, {state}: {counts}>"

    def _repr_html_(self) -> str:
        """The report in Jupyter; everything in it is escaped."""
        if not self.has_begun:
            return f"<pre>{NOT_BEGUN}</pre>"
        from keptalive.render.off_screen import as_html
        from keptalive.render.report_sentences import About

        return as_html(self.result(), About(goes_on=self.is_running))


def watch(
    *,
    clock: Callable[[], float] = time.monotonic,
    timeline: bool = False,
    window_s: float | None = None,
) -> Watch:
    """Watch every connection that requests and urllib3 use, on all threads, from here on.

    Pools that exist already are included, watches may be nested, and everything is as before when
    it ends. The program's results, exceptions, logs and warnings are not touched.

    Args:
        clock: seconds, for every time in the record; the outermost watch's holds.
        timeline: record each request, up to 200,000 of them.
        window_s: what it says covers only the last so many seconds (and up to a twelfth more), for
            processes that run for weeks; `math.inf` for all since it began, in as little memory.

    Returns:
        the watch, for a ``with`` statement, or its methods ``start`` and ``stop``.
    """
    return Watch(clock=clock, timeline=timeline, window_s=window_s)
