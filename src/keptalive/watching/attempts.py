"""Why a connection is being opened, as far as it can be known at that moment: a draft."""

from __future__ import annotations

from keptalive.records.evidence import Ended
from keptalive.watching.call_site import place_in_program
from keptalive.watching.recorder import Draft
from keptalive.watching.tracking import LOST, READING, Call, Connection, Pool


def draft_of(
    connection: Connection,
    pool: Pool,
    ended: Ended | None,
    call: Call | None,
    *,
    again: bool,
    retry: bool,
) -> Draft:
    """The evidence of an opening, from what everybody else is at just now.

    Args:
        connection: the one that is to be opened.
        pool: whose it is.
        ended: how the one ended that would have served.
        call: the request that needs it.
        again: it was open before.
        retry: the request has failed before.
    """
    out = [other for other in pool.out() if other is not connection]
    unread = [c for c in out if c.doing is LOST or _is_left(c, connection.flow)]
    busy = len(out) - len(unread)
    if call is not None:  # or was, when this call wanted one
        busy += sum(c.returned > call.began for c in pool.known.difference(out))
        busy += pool.discarded > call.began
    draft = Draft(
        host=connection.target or pool.host,
        owner=pool.owner.number,
        thread=connection.flow,
        pool_is_new=pool.is_new,
        closings=pool.owner.closings,
        tls=pool.tls,
        proxy=pool.proxy,
        ended=ended,
        busy=busy,
        unread=len(unread),
        again=again,
        retry=retry and not pool.is_new,
        redirected=call is not None and call.redirected,
        place=pool.owner.place,
        asked_at=place_in_program(),
        left_at=next((c.place for c in unread if c.place), None),
    )
    lost = next((c for c in unread if c.doing is LOST), None)
    if lost is not None and ended is None:
        pool.known.discard(lost)  # it accounts for one connection, this one
    return draft


def _is_left(connection: Connection, flow: int) -> bool:
    return connection.doing is READING and connection.flow == flow
