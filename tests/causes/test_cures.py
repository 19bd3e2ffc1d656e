"""What to change is said in the words of the library through which the program went."""

from __future__ import annotations

import string

import pytest
from tests.causes.records import opened

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.cures import cure, libraries, through
from keptalive.causes.facts import Opening
from keptalive.causes.libraries import LIBRARIES

DEFAULT = "Make one Session."


def went(**facts: object) -> dict[str, int]:
    return through([Opening(opened(1, **facts))])


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_the_words_of_a_library_are_for_known_causes_and_known_facts(library):
    assert library.cures.keys() <= {*CATALOGUE, "ca-bundle", "waiting-for-pool"}
    for text in library.cures.values():
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        assert names <= {"needed", "max_idle"}
        assert text.endswith(".")


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("botocore/httpsession.py:509", "boto3/botocore"),
        ("azure/core/pipeline/transport/_requests_basic.py:298", "azure-core"),
        ("google/auth/transport/requests.py:550", "google-auth"),
        ("google/cloud/x.py:1", "google.cloud"),
        ("kubernetes/client/rest.py:261", "kubernetes"),
        ("docker/api/client.py:200", "docker"),
        ("github/Requester.py:259", "PyGithub"),
        ("githubkit/x.py:1", "githubkit"),
        ("elastic_transport/_node/_http_urllib3.py:167", "elasticsearch"),
        ("huggingface_hub/utils/_http.py:90", "huggingface_hub"),
        ("spotipy/client.py:229", "spotipy"),
        ("selenium/webdriver/remote/remote_connection.py:400", "selenium"),
        ("shop.py:3", "shop"),
    ],
)
def test_a_library_is_known_by_the_file_that_calls_requests_or_urllib3(library, name):
    assert went(session_library=library) == {name: 1}
    assert went(request_library=library, is_bare=True) == {name: 1}


def test_a_session_that_the_program_made_is_the_programs_wherever_it_is_used():
    assert went(session_location="prog.py:4", request_library="spotipy/client.py:1") == {}


def test_bare_urllib3_is_named_and_requests_only_beside_others():
    assert went(is_bare=True) == {"urllib3": 1}
    assert went() == {}
    both = [Opening(opened(1)), Opening(opened(2, session_library="shop.py:3"))]
    assert through(both) == {"requests": 1, "shop": 1}


@pytest.mark.parametrize(
    ("cause", "library", "facts", "said"),
    [
        ("pool-too-small", "PyGithub", {"needed": 24}, "Github(pool_size=24)."),
        ("pool-too-small", "PyGithub", {}, "Github(pool_size=N)."),
        ("pool-too-small", "urllib3", {"needed": 3}, "PoolManager(maxsize=3)."),
        (
            "pool-too-small",
            "selenium",
            {"needed": 3},
            (
                'ClientConfig(init_args_for_pool_manager={"init_args_for_pool_manager": '
                '{"maxsize": 3}}).'
            ),
        ),
        (
            "idle-timeout",
            "spotipy",
            {},
            f"{DEFAULT} Give spotipy that Session: Spotify(requests_session=session).",
        ),
        (
            "idle-timeout",
            "kubernetes",
            {},
            (
                "kubernetes takes no Session: send requests more often, or let it repeat those "
                "that fail."
            ),
        ),
        (
            "new-session",
            "shop",
            {},
            f"{DEFAULT} Here shop has it: see whether it takes yours, or has an option.",
        ),
        ("close-announced", "shop", {}, DEFAULT),
        ("close-announced", "spotipy", {}, DEFAULT),
        ("first-use", "urllib3", {}, DEFAULT),
    ],
)
def test_a_cure_is_in_the_librarys_words_or_in_those_of_requests(cause, library, facts, said):
    assert cure(cause, {**facts, "through": {library: 2}}, DEFAULT) == said


def test_without_a_library_the_cure_is_that_of_requests():
    assert cure("new-session", {}, DEFAULT) == DEFAULT


def test_of_several_libraries_the_three_most_frequent_have_their_own_sentence():
    names = {"PyGithub": 9, "docker": 5, "requests": 2, "spotipy": 1}
    assert cure("new-session", {"through": names}, DEFAULT) == (
        "PyGithub: Make one Github object, and use it for every request. "
        "docker: Make one DockerClient and keep it. "
        "requests: Make one Session."
    )


def test_what_all_of_them_have_in_common_is_said_once():
    assert cure("retry", {"through": {"shop": 2, "requests": 1}}, "Find out.") == "Find out."


BARE = {"through": {"influxdb_client": 4}, "without_requests": True}


def test_connections_of_urllib3_alone_are_known_as_such_if_all_are():
    session, bare = opened(1), opened(2, is_bare=True, request_library="minio/api.py:306")
    assert libraries([Opening(bare)]) == {"through": {"minio": 1}, "without_requests": True}
    assert libraries([Opening(bare), Opening(session)]) == {"through": {"minio": 1, "requests": 1}}
    assert libraries([Opening(session)]) == {}


def test_a_library_with_a_pool_manager_is_not_advised_to_use_a_session():
    assert cure("new-session", BARE, DEFAULT) == (
        "Make one client of influxdb_client, keep it, and use it for every request to this host."
    )
    assert cure("idle-timeout", BARE, DEFAULT).startswith("influxdb_client takes no Session:")
    assert cure("pool-too-small", {**BARE, "needed": 12}, DEFAULT) == (
        "PoolManager(maxsize=12). Here influxdb_client has it: see whether it takes yours, or has "
        "an option."
    )
    assert "preload_content=False" in cure("unread-body", BARE, DEFAULT)
    assert cure("close-announced", BARE, DEFAULT) == DEFAULT


def test_the_librarys_own_words_come_before_those_of_urllib3():
    facts = {"through": {"boto3/botocore": 1}, "without_requests": True, "needed": 20}
    assert "max_pool_connections=20" in cure("pool-too-small", facts, DEFAULT)
