"""What a connection is at: one of four states, as its last request left it."""

from __future__ import annotations

from enum import Enum


class Doing(Enum):
    """What a connection is at."""

    SENDING = "a request is on its way"
    READING = "the response is with the program"
    KEPT = "back in its pool, or just being taken from it"
    LOST = "closed before its response had been read, and not given back"


# Looked up on their class, each would cost a warm request more than all else here
SENDING, READING, KEPT, LOST = Doing.SENDING, Doing.READING, Doing.KEPT, Doing.LOST
