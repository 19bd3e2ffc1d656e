"""Libraries that send requests by way of requests or urllib3: what to change, in their own words.

Pure data: one row for each library, with the source of its words. A cause that a row does not have
is mended as in requests' own terms, which `catalogue` has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

IDLE = ("idle-timeout", "stale-connection", "silent-drop", "server-reset", "timeout-408")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One library.

    Attributes:
        name: as people know it.
        files: how the names of its files begin that call requests or urllib3.
        cures: what to change, by cause or finding; ``{needed}`` is the size of a pool: N where it
            is unknown.
        takes_session: how it is given a Session of the program's; empty if it takes none.
    """

    name: str
    files: tuple[str, ...]
    cures: Mapping[str, str] = field(default_factory=dict)
    takes_session: str = ""


def _idle(text: str) -> dict[str, str]:
    return dict.fromkeys(IDLE, text)


URLLIB3 = Library(
    # urllib3.readthedocs.io/en/stable/advanced-usage.html, "Customizing Pool Behavior" and
    # "Streaming and I/O"; urllib3/response.py: HTTPResponse.drain_conn, release_conn
    name="urllib3",
    files=("urllib3/",),
    cures={
        "new-session": "Make one PoolManager, keep it, and use it for every request to this host.",
        "session-closed": "Clear the PoolManager only when the program is done with it.",
        "pool-evicted": "PoolManager(num_pools=N), N the number of hosts.",
        "pool-too-small": "PoolManager(maxsize={needed}).",
        "waiting-for-pool": "PoolManager(maxsize={needed}, block=True).",
        "tls-settings-differ": "Use one PoolManager with one set of TLS settings for all requests.",
        "proxy-differs": "Use one ProxyManager, with one proxy URL, for all requests.",
        "close-requested": 'Remove the header "Connection" from the PoolManager and the requests.',
        "unread-body": (
            "Read each response to its end (.data, .read() or drain_conn()), also with "
            "preload_content=False, then release_conn()."
        ),
    },
)

LIBRARIES = (
    URLLIB3,
    Library(
        # docs.aws.amazon.com/botocore: botocore.config.Config, max_pool_connections and
        # tcp_keepalive; boto3 guide "Low-level clients", "Multithreading": clients are thread-safe
        name="boto3/botocore",
        files=("botocore/", "boto3/"),
        cures={
            "new-session": "Make one boto3 client for each service, and share it between threads.",
            "pool-too-small": (
                "One shared client with config=botocore.config.Config("
                "max_pool_connections={needed})."
            ),
            # botocore/httpsession.py: URLLib3Session._setup_ssl_cert names the file each time
            "ca-bundle": (
                "botocore loads it for each connection, whatever it is given: keep one client, and "
                "let AWS_CA_BUNDLE name a file of only the CAs that you need."
            ),
            **_idle(
                "botocore takes no Session: its retries send the request again. Config("
                "tcp_keepalive=True) helps where the path forgets idle connections."
            ),
        },
    ),
    Library(
        # azure/core/pipeline/transport/_requests_basic.py: RequestsTransport.__init__ (session,
        # session_owner); _init_session mounts an adapter only on a Session of its own
        name="azure-core",
        files=("azure/",),
        cures={
            "new-session": (
                "Make one client and keep it; several can share transport=RequestsTransport("
                "session=session, session_owner=False)."
            ),
            "session-closed": "Leave the client's with block, or close it, only at the end.",
        },
        takes_session="transport=RequestsTransport(session=session, session_owner=False)",
    ),
    Library(
        # google/auth/transport/requests.py: AuthorizedSession is a requests.Session; Request
        # takes a session
        name="google-auth",
        files=("google/auth/",),
        cures={
            "new-session": (
                "Make one AuthorizedSession, or one client of the library that makes it, and keep "
                "it."
            ),
            "pool-too-small": (
                'On the AuthorizedSession: mount("https://", HTTPAdapter(pool_maxsize={needed})).'
            ),
            **_idle(
                'On the AuthorizedSession: mount("https://", TunedAdapter()). It learns when the '
                "server closes idle connections: this avoids errors, not the new handshake."
            ),
        },
    ),
    Library(
        # keptalive/locust/users.py; locust/clients.py: HttpSession, LocustHttpAdapter
        name="Locust",
        files=("locust/",),
        cures={
            "new-session": (
                "Each request of a FreshUser has a new Session: SessionUser and TunedUser of "
                "keptalive.locust keep one. A task keeps it in its user."
            ),
            "ca-bundle": "TunedUser of keptalive.locust loads it once for all users.",
            **_idle(
                'TunedUser of keptalive.locust, with tuned = {{"max_idle": {max_idle}}}, replaces '
                "it before the server closes it; this avoids errors, not the new handshake."
            ),
        },
    ),
    Library(
        # kubernetes/client/configuration.py: Configuration.connection_pool_maxsize;
        # kubernetes/client/rest.py: RESTClientObject makes one PoolManager for each ApiClient
        name="kubernetes",
        files=("kubernetes/",),
        cures={
            "new-session": "Make one ApiClient, and give it to every API: CoreV1Api(api_client).",
            "pool-too-small": "Configuration.connection_pool_maxsize = {needed}.",
        },
    ),
    Library(
        # docker/client.py: DockerClient(max_pool_size); docker/api/client.py: APIClient(num_pools),
        # which is a requests.Session
        name="docker",
        files=("docker/",),
        cures={
            "new-session": "Make one DockerClient and keep it.",
            "session-closed": "Close the DockerClient only when the program is done with it.",
            "pool-evicted": "docker.APIClient(num_pools=N): it has a pool for each URL.",
            "pool-too-small": "DockerClient(max_pool_size={needed}); docker.from_env takes it too.",
        },
    ),
    Library(
        # github/MainClass.py: Github(pool_size); github/Requester.py: HTTPRequestsConnectionClass
        # mounts its adapter on a Session for each Requester
        name="PyGithub",
        files=("github/",),
        cures={
            "new-session": "Make one Github object, and use it for every request.",
            "pool-evicted": "Github(pool_size=N), N the number of hosts.",
            "pool-too-small": "Github(pool_size={needed}).",
        },
    ),
    Library(
        # elasticsearch/_sync/client/__init__.py: Elasticsearch(connections_per_node);
        # elastic_transport/_node/_http_urllib3.py: one pool for each node, and it blocks
        name="elasticsearch",
        files=("elastic_transport/", "elasticsearch/"),
        cures={
            "new-session": "Make one Elasticsearch client, and share it between threads.",
            "pool-too-small": "Elasticsearch(connections_per_node={needed}).",
            "waiting-for-pool": "Elasticsearch(connections_per_node={needed}).",
        },
    ),
    Library(
        # huggingface_hub 0.x, utils/_http.py: configure_http_backend, get_session (one Session for
        # each thread). From 1.0 it uses httpx, and not requests
        name="huggingface_hub",
        files=("huggingface_hub/",),
        cures={
            "new-session": (
                "It has one Session for each thread: keep your threads, or give them all one: "
                "configure_http_backend(backend_factory=lambda: session)."
            ),
        },
        takes_session="configure_http_backend(backend_factory=lambda: session)",
    ),
    Library(
        # spotipy/client.py: Spotify(requests_session): a Session, or False for none
        name="spotipy",
        files=("spotipy/",),
        cures={
            "new-session": (
                "Make one spotipy.Spotify and keep it; or give each the same Session: "
                "Spotify(requests_session=session)."
            ),
        },
        takes_session="Spotify(requests_session=session)",
    ),
    Library(
        # selenium/webdriver/remote/client_config.py: ClientConfig(keep_alive);
        # remote_connection.py: one PoolManager for each driver, or one for each command without it
        name="selenium",
        files=("selenium/",),
        cures={
            "new-session": "Keep one driver; ClientConfig(keep_alive=True) is the default.",
            "pool-too-small": (
                'ClientConfig(init_args_for_pool_manager={{"init_args_for_pool_manager": '
                '{{"maxsize": {needed}}}}}).'
            ),
        },
    ),
)
