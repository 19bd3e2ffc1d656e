"""The causes: a row for each, with its words, who can mend it, its facts and its sentences.

A new cause is a new row here. Which connection gets it: if the end of the connection before decides
alone, the row names such ends; what a server's FIN means is decided in `patterns.cause_of_close`
(idle-timeout, request-limit, server-closed), what an error under a request means in `failures`
(stale-connection, silent-drop, failed-request); every other rule is a function in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from keptalive.causes import (
    facts,
    failure_facts,
    failure_sentences,
    pool_sentences,
    sentences,
)
from keptalive.causes.facts import FactsOf
from keptalive.causes.sentences import Sentence, always, of_server
from keptalive.records.connection import CloseReason

MendedBy = Literal["program", "server", "nobody"]
_SILENT = always("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cause.

    Attributes:
        name: as it stands in reports.
        meaning: a connection was opened because ...
        precise: the same from the facts, where they say more; empty where they do not.
        mended_by: who can change it so that such a connection is not opened again: "nobody" where
            it is necessary, or no change is known.
        ends: ends of the predecessor that this cause explains, whatever else is known.
        facts: what is shown of the openings that have it.
        evidence, cure: facts in sentences; both work without any fact.
    """

    name: str
    meaning: str
    precise: Sentence = _SILENT
    mended_by: MendedBy
    ends: tuple[CloseReason, ...] = ()
    facts: FactsOf = facts.nothing
    evidence: Sentence = _SILENT
    cure: Sentence = _SILENT


ROWS = (
    Row(
        name="first-use",
        meaning="the first connection to this host",
        mended_by="nobody",
        cure=always("Nothing; this one is necessary."),
    ),
    Row(
        name="concurrency",
        meaning="several requests ran at once: normal",
        mended_by="nobody",
        facts=facts.at_once,
        evidence=sentences.at_once,
        cure=always("Nothing; each request that runs at the same time needs its connection."),
    ),
    Row(
        name="new-session",
        meaning="a new Session, or requests.get, began with an empty pool",
        mended_by="program",
        facts=facts.sessions,
        evidence=sentences.sessions,
        cure=always("Make one Session, keep it, and use it for every request to this host."),
    ),
    Row(
        name="new-adapter",
        meaning="the Session used another adapter, and with it an empty pool",
        mended_by="program",
        facts=facts.mounted,
        evidence=pool_sentences.mounted,
        cure=always("Mount adapters once, right after the Session is made: one for each host."),
    ),
    Row(
        name="session-closed",
        meaning="the Session had been closed and was used again",
        precise=pool_sentences.closed_meaning,
        mended_by="program",
        facts=facts.closed,
        evidence=pool_sentences.closed,
        cure=pool_sentences.closed_cure,
    ),
    Row(
        name="pool-evicted",
        meaning="the Session keeps fewer pools than the program needs",
        precise=pool_sentences.pools_meaning,
        mended_by="program",
        facts=facts.pools,
        evidence=pool_sentences.pools,
        cure=pool_sentences.pools_cure,
    ),
    Row(
        name="tls-settings-differ",
        meaning="verify, cert or the ssl_context differ from an earlier request, so another pool",
        precise=pool_sentences.tls_meaning,
        mended_by="program",
        facts=facts.tls,
        evidence=pool_sentences.tls,
        cure=pool_sentences.tls_cure,
    ),
    Row(
        name="proxy-differs",
        meaning="the proxy is written differently, or has another login, so another pool",
        mended_by="program",
        facts=facts.requested,
        evidence=sentences.requested,
        cure=always("Use one proxy URL, written identically, for all requests of a Session."),
    ),
    Row(
        name="pool-too-small",
        meaning="a full pool had discarded the connection that this one replaces",
        mended_by="program",
        ends=(CloseReason.DISCARDED,),
        facts=facts.pool,
        evidence=pool_sentences.pool,
        cure=pool_sentences.pool_cure,
    ),
    Row(
        name="unread-body",
        meaning="an earlier response was never read, so its connection never came back",
        mended_by="program",
        ends=(CloseReason.NEVER_READ,),
        facts=facts.unread,
        evidence=sentences.unread,
        cure=always(
            "Read each response to its end (.content), also with stream=True; closing it unread "
            "costs its connection."
        ),
    ),
    Row(
        name="abandoned-body",
        meaning="an earlier response was closed before its body had been read",
        mended_by="program",
        ends=(CloseReason.CLOSED_UNREAD,),
        facts=facts.abandoned,
        evidence=sentences.unread,
        cure=always("Read the rest before closing it, if it is short."),
    ),
    Row(
        name="failed-request",
        meaning="the request before ended in an error",
        mended_by="server",
        facts=failure_facts.failed,
        evidence=failure_sentences.failed,
        cure=failure_sentences.failed_cure,
    ),
    Row(
        name="stale-connection",
        meaning="a request was sent on a kept connection while {server} was closing it",
        mended_by="server",
        facts=failure_facts.stale,
        evidence=failure_sentences.stale,
        cure=failure_sentences.stale_cure,
    ),
    Row(
        name="silent-drop",
        meaning="the path forgot a kept connection without closing it",
        mended_by="server",
        ends=(CloseReason.SILENT,),
        facts=failure_facts.dropped,
        evidence=failure_sentences.dropped,
        cure=failure_sentences.dropped_cure,
    ),
    Row(
        name="close-announced",
        meaning='{server} said "Connection: close"',
        mended_by="server",
        ends=(CloseReason.CLOSE_ANNOUNCED,),
        facts=failure_facts.announced,
        evidence=failure_sentences.announced,
        cure=failure_sentences.announced_cure,
    ),
    Row(
        name="close-requested",
        meaning='the program itself said "Connection: close"',
        mended_by="program",
        ends=(CloseReason.CLOSE_REQUESTED,),
        facts=facts.requested,
        evidence=sentences.requested,
        cure=always('Remove that header: session.headers.pop("Connection").'),
    ),
    Row(
        name="http-1.0",
        meaning="{server} answered in HTTP/1.0, or without saying how long the body is",
        mended_by="server",
        ends=(CloseReason.HTTP_1_0,),
        cure=of_server(
            "{server} would have to speak HTTP/1.1; a reverse proxy in front of it can keep "
            "connections."
        ),
    ),
    Row(
        name="idle-timeout",
        meaning="{server} closes connections that are idle",
        mended_by="server",
        facts=facts.idle,
        evidence=sentences.idle,
        cure=sentences.idle_cure,
    ),
    Row(
        name="max-idle",
        meaning="the Session itself replaced it, after its own max_idle or max_age",
        mended_by="program",
        ends=(CloseReason.REPLACED,),
        facts=facts.replaced,
        evidence=sentences.replaced,
        cure=sentences.replaced_cure,
    ),
    Row(
        name="request-limit",
        meaning="{server} closes after a number of requests, unannounced",
        mended_by="server",
        facts=facts.served,
        evidence=sentences.served,
        cure=of_server(
            "Ask the operator of {server} for a higher limit (nginx: keepalive_requests)."
        ),
    ),
    Row(
        name="server-closed",
        meaning="{server} closed it, for a reason that does not show",
        mended_by="server",
        facts=facts.idle,
        evidence=sentences.idle,
        cure=of_server("Check the timeouts of {server} and of what is in between."),
    ),
    Row(
        name="server-reset",
        meaning="the connection was reset",
        mended_by="server",
        ends=(CloseReason.RST,),
        facts=facts.idle,
        evidence=sentences.idle,
        cure=sentences.reset_cure,
    ),
    Row(
        name="timeout-408",
        meaning="{server} sent a 408 that nobody had asked for, and closed",
        mended_by="server",
        ends=(CloseReason.TIMEOUT_408,),
        facts=facts.idle,
        evidence=sentences.idle,
        cure=sentences.idle_cure,
    ),
    Row(
        name="stray-bytes",
        meaning="bytes were waiting that belong to no response",
        mended_by="server",
        ends=(CloseReason.STRAY_BYTES,),
        cure=of_server("Report it to the operator of {server}: it sends more than it announces."),
    ),
    Row(
        name="tls-message",
        meaning="a TLS message made a live connection look dropped",
        mended_by="nobody",
        ends=(CloseReason.TLS_MESSAGE,),
        cure=always("Harmless but for its cost: the server sends tickets or key updates late."),
    ),
    Row(
        name="retry",
        meaning="the request had failed, and was sent again",
        mended_by="server",
        facts=facts.requested,
        evidence=sentences.requested,
        cure=always("Find out why it failed."),
    ),
    Row(
        name="redirect",
        meaning="a redirect led to another host",
        mended_by="program",
        facts=facts.requested,
        evidence=sentences.requested,
        cure=always("Request the final address."),
    ),
    Row(
        name="unknown",
        meaning="what was seen does not say why",
        mended_by="nobody",
        facts=facts.requested,
        evidence=sentences.unknown,
        cure=always("See what happened before it: the report as JSON lists every connection."),
    ),
)
CATALOGUE: Mapping[str, Row] = {row.name: row for row in ROWS}
# How the predecessor ended, where that alone is the cause
CAUSE_OF_END: Mapping[CloseReason, str] = {end: row.name for row in ROWS for end in row.ends}
