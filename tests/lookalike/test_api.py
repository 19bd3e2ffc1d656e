from __future__ import annotations

import base64
import json

import pytest

from keptalive.lookalike.api import AMPLE_LIMIT, TOKEN, Api, Request, is_authorized
from keptalive.lookalike.resources import link_header

BASE = "https://127.0.0.1:8443"
NOW_S = 1_700_000_000.25
AUTHORIZED = {"user-agent": "test", "authorization": f"Bearer {TOKEN}"}


def ask(target="/user", *, api=None, method="GET", now_s=NOW_S, headers=None, **more):
    given = AUTHORIZED if headers is None else headers
    given = given | {name.replace("_", "-"): value for name, value in more.items()}
    request = Request(
        method=method.encode(),
        target=target.encode(),
        headers={name.encode(): value.encode() for name, value in given.items()},
    )
    return (api or Api(base_url=BASE)).respond(request, now_s=now_s)


def message(response):
    return json.loads(response.body)["message"]


def basic(password):
    return b"Basic " + base64.b64encode(b"octolook:" + password.encode())


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {TOKEN}".encode(), True),
        (f"bearer {TOKEN}".encode(), True),
        (f"token {TOKEN}".encode(), True),
        (basic(TOKEN), True),
        (basic("password"), False),
        (b"Basic not-base64!", False),
        (b"Basic", False),
        (b"Bearer wrong", False),
        (b"Bearer", False),
        (f"Digest {TOKEN}".encode(), False),
        (b"", False),
    ],
)
def test_a_token_is_accepted_in_githubs_three_ways(authorization, expected):
    assert is_authorized(authorization) == expected


def test_the_user_is_an_object_with_a_plan():
    response = ask("/user")
    assert response.status == 200
    assert json.loads(response.body)["plan"]["name"] == "pro"
    assert 1500 <= len(response.body) <= 2000


def test_headers_are_githubs_and_weigh_about_a_kilobyte():
    response = ask("/user")
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["server"] == "github.com"
    assert response.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert int(response.headers["content-length"]) == len(response.body)
    assert "x-github-request-id" in response.headers
    assert 1000 <= len(response.head) <= 2000


def test_a_page_holds_thirty_repositories_of_about_five_kilobytes():
    response = ask("/user/repos")
    repositories = json.loads(response.body)
    assert len(repositories) == 30
    assert 140_000 <= len(response.body) <= 175_000
    assert repositories[0]["permissions"]["admin"] is True
    assert repositories[0]["owner"]["login"] == "octolook"


def test_the_same_request_has_the_same_body():
    assert ask("/user/repos").body == ask("/user/repos").body


def test_a_repositorys_url_leads_to_it_on_this_server():
    repository = json.loads(ask("/user/repos").body)[3]
    assert repository["url"].startswith(BASE)
    assert json.loads(ask(repository["url"].removeprefix(BASE)).body) == repository


@pytest.mark.parametrize(
    ("target", "count"),
    [
        ("/user/repos?per_page=100", 75),
        ("/user/repos?per_page=1000", 75),
        ("/user/repos?per_page=0", 30),
        ("/user/repos?per_page=many", 30),
        ("/user/repos?page=3", 15),
        ("/user/repos?page=4", 0),
        ("/user/repos?page=-1", 30),
        ("/user/repos?page=2&per_page=50", 25),
        ("/user/repos?page=99999999999999999999", 30),
    ],
)
def test_pages_are_cut_as_github_does(target, count):
    assert len(json.loads(ask(target).body)) == count


def test_following_next_visits_every_repository_once():
    target, names = "/user/repos?per_page=20", []
    while target:
        response = ask(target)
        names += [repository["name"] for repository in json.loads(response.body)]
        links = dict(
            reversed(link.split("; ")) for link in response.headers.get("link", "").split(", ")
        )
        target = links.get('rel="next"', "").strip("<>").removeprefix(BASE)
    assert len(names) == len(set(names)) == 75


@pytest.mark.parametrize(
    ("page", "rels"),
    [
        (1, {"next": 2, "last": 3}),
        (2, {"prev": 1, "next": 3, "last": 3, "first": 1}),
        (3, {"prev": 2, "first": 1}),
        (9, {"prev": 3, "first": 1}),
    ],
)
def test_the_link_header_names_the_neighbours(page, rels):
    expected = [
        f'<{BASE}/user/repos?per_page=30&page={number}>; rel="{rel}"'
        for rel, number in rels.items()
    ]
    assert link_header(BASE, page=page, per_page=30, pages=3) == ", ".join(expected)


def test_a_single_page_has_no_link_header():
    assert "link" not in ask("/user/repos?per_page=100").headers


def test_bad_credentials_are_401_in_githubs_words():
    response = ask(authorization="Bearer wrong")
    assert response.status == 401
    assert json.loads(response.body) == {
        "message": "Bad credentials",
        "documentation_url": "https://docs.github.com/rest",
        "status": "401",
    }


def test_no_credentials_are_401_on_user():
    response = ask(headers={"user-agent": "test"})
    assert (response.status, message(response)) == (401, "Requires authentication")


def test_without_a_user_agent_the_answer_is_403():
    assert ask(headers={"authorization": f"Bearer {TOKEN}"}).status == 403


@pytest.mark.parametrize("target", ["/user/", "/", "/nowhere", "/user/repos/", "/repos/a/b", "*"])
def test_an_unknown_path_is_404_and_a_trailing_slash_makes_one(target):
    response = ask(target)
    assert (response.status, message(response)) == (404, "Not Found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_get_and_head_are_known(method):
    assert ask(method=method).status == 404


def test_a_revoked_token_is_not_taken_any_more():
    api = Api(base_url=BASE)
    revoked = ask("/installation/token", api=api, method="DELETE")
    assert (revoked.status, revoked.body) == (204, b"")
    assert "content-length" not in revoked.headers
    assert (ask(api=api).status, ask().status) == (401, 200)


def test_a_wrong_token_revokes_none():
    api = Api(base_url=BASE)
    wrong = {"user-agent": "test", "authorization": "Bearer wrong"}
    assert ask("/installation/token", api=api, method="DELETE", headers=wrong).status == 401
    assert ask(api=api).status == 200


def test_head_is_get_without_the_body():
    got, headed = ask("/user"), ask("/user", method="HEAD")
    assert headed.body == b""
    assert headed.headers == got.headers


@pytest.mark.parametrize(("version", "status"), [("2022-11-28", 200), ("1999-01-01", 400)])
def test_an_unknown_api_version_is_400(version, status):
    assert ask(x_github_api_version=version).status == status


def test_what_has_not_changed_is_304_and_free_of_the_limit():
    api = Api(base_url=BASE)
    etag = ask(api=api).headers["etag"]
    for tag in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        response = ask(api=api, if_none_match=tag)
        assert (response.status, response.body) == (304, b"")
        assert response.headers["x-ratelimit-used"] == "1"
        assert response.headers["etag"] == etag
    assert ask(api=api, if_none_match='"other"').status == 200


def limits(response):
    return [int(response.headers[f"x-ratelimit-{name}"]) for name in ("limit", "used", "remaining")]


def test_each_answer_says_what_is_left_of_the_limit():
    api = Api(base_url=BASE, rate_limit=5)
    assert [limits(ask(api=api)) for _ in range(3)] == [[5, 1, 4], [5, 2, 3], [5, 3, 2]]


def test_over_the_limit_the_answer_is_403_until_the_window_ends():
    api = Api(base_url=BASE, rate_limit=1)
    assert ask(api=api).status == 200
    refused = ask(api=api)
    assert (refused.status, limits(refused)) == (403, [1, 1, 0])
    assert message(refused).startswith("API rate limit exceeded")
    assert ask(api=api, now_s=int(refused.headers["x-ratelimit-reset"])).status == 200


def test_the_limit_can_be_asked_for_without_spending_it():
    api = Api(base_url=BASE, rate_limit=5)
    ask(api=api)
    core = json.loads(ask("/rate_limit", api=api).body)["resources"]["core"]
    assert (core["limit"], core["used"], core["remaining"]) == (5, 1, 4)
    assert core["reset"] > NOW_S
    assert limits(ask("/rate_limit", api=api)) == [5, 1, 4]


def test_who_is_nobody_has_a_limit_of_sixty():
    response = ask("/rate_limit", headers={"user-agent": "test"})
    assert (response.status, limits(response)) == (200, [60, 0, 60])


def test_refusals_for_credentials_or_form_are_free():
    api = Api(base_url=BASE)
    ask(api=api, authorization="Bearer wrong")
    ask(api=api, x_github_api_version="1999-01-01")
    assert limits(ask(api=api)) == [AMPLE_LIMIT, 1, AMPLE_LIMIT - 1]


def test_a_response_is_written_in_one_piece():
    response = ask("/user")
    written = response.render(http_version=b"HTTP/1.1", announces_close=True)
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert written.endswith(b"\r\nconnection: close\r\n\r\n" + response.body)
