"""Result files: what is in them, where they are kept, and how they are read again."""

from keptalive.results.reading import Saved, read
from keptalive.results.storing import BASELINE, RESULTS, check_writable, find, save
from keptalive.results.writing import SCHEMA, document, ours

__all__ = [
    "BASELINE",
    "RESULTS",
    "SCHEMA",
    "Saved",
    "check_writable",
    "document",
    "find",
    "ours",
    "read",
    "save",
]
