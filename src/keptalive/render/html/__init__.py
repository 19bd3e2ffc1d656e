"""Reports and results as one HTML file that needs no network: what people look at."""

from keptalive.render.html.page import of_comparison, of_report, of_run

__all__ = ["of_comparison", "of_report", "of_run"]
