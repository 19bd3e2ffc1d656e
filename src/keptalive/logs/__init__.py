"""The first witness, read afterwards: urllib3's lines in any debug log, as events.

What is promised: a line that cannot be read is counted and passed over, never an error; memory does
not grow with the log; and of a line nothing is kept but what its event holds, and where it came
from. Whole blocks are searched for what urllib3's messages contain, so that the other lines of a
log cost next to nothing.

A log passes stages: its bytes (`source`), oldest line first (`order`), whole lines (`blocks`),
events with time and origin (`scanner`, `lines`), each record once (`copies`). Then it is counted.

A log seldom says which thread a line is from, so an event's ``thread`` is a small number for all
lines whose threads and processes, as far as they are evident ("MainThread", "[pid 12]"), are the
same. Other words before the message (a worker's own name, a container) make threads only where they
explain what was interleaved: where, told apart by them, markedly more attempts to connect are
directly followed by a response of the same host. `Reading.knows_threads` says whether to rely on
it.
"""

from keptalive.logs.events import Discarding, Seen
from keptalive.logs.reader import Reading, read

__all__ = ["Discarding", "Reading", "Seen", "read"]
