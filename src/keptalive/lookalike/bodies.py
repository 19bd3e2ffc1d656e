"""The bodies of responses: one user and 75 repositories, always the same.

The sizes are those of the real API, about 5 kB for each repository, because the size of a response
is part of the cost of a request.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

LOGIN = "octolook"
USER_ID = 583_231
REPOSITORY_COUNT = 75

_USER_LINKS = (
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
)

_REPOSITORY_LINKS = (
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
)

_LANGUAGES = ("Python", "TypeScript", "Rust", "Go", "Shell", None)
_FLAGS = {
    "has_issues": True,
    "has_projects": True,
    "has_downloads": True,
    "has_wiki": True,
    "has_pages": False,
    "has_discussions": False,
    "archived": False,
    "disabled": False,
    "allow_forking": True,
    "is_template": False,
    "web_commit_signoff_required": False,
}
_DESCRIPTION = (
    "A repository that exists only in the look-alike: its name, its numbers and this sentence are "
    "made up, but every field that a client may want to read is there."
)
_TOPICS = ("http", "keep-alive", "connection-pool", "benchmark", "requests", "api-client")


def encode(value: object) -> bytes:
    """Write JSON as GitHub does: without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


@lru_cache(maxsize=8)
def user(base_url: str) -> bytes:
    """Write the authenticated user."""
    return encode(
        _owner(base_url)
        | {
            "name": "The Octolook",
            "company": "@keptalive",
            "blog": "https://github.blog",
            "location": "127.0.0.1",
            "email": "octolook@example.com",
            "hireable": None,
            "bio": "Imitates api.github.com, and closes connections as configured.",
            "twitter_username": None,
            "notification_email": "octolook@example.com",
            "public_repos": REPOSITORY_COUNT,
            "public_gists": 8,
            "followers": 4_321,
            "following": 9,
            "created_at": "2011-01-25T18:44:36Z",
            "updated_at": "2025-01-22T12:13:51Z",
            "private_gists": 81,
            "total_private_repos": 0,
            "owned_private_repos": 0,
            "disk_usage": 39_090,
            "collaborators": 3,
            "two_factor_authentication": True,
            "plan": {
                "name": "pro",
                "space": 976_562_499,
                "private_repos": 9_999,
                "collaborators": 0,
            },
        }
    )


def repository(base_url: str, number: int) -> bytes:
    """One repository as JSON; the first has number 1."""
    return _repositories(base_url)[number - 1]


def repositories(base_url: str, numbers: range) -> bytes:
    """An array of repositories as JSON."""
    return b"[" + b",".join(repository(base_url, number) for number in numbers) + b"]"


def repository_name(number: int) -> str:
    """The name of a repository."""
    return f"experiment-{number:02}"


@lru_cache(maxsize=8)
def _repositories(base_url: str) -> tuple[bytes, ...]:
    return tuple(encode(_repository(base_url, number)) for number in range(1, REPOSITORY_COUNT + 1))


def _owner(base_url: str) -> dict[str, object]:
    url = f"{base_url}/users/{LOGIN}"
    identity: dict[str, object] = {
        "login": LOGIN,
        "id": USER_ID,
        "node_id": "MDQ6VXNlcjU4MzIzMQ==",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{USER_ID}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.com/{LOGIN}",
    }
    links = {name: url + tail for name, tail in _USER_LINKS}
    return identity | links | {"type": "User", "user_view_type": "public", "site_admin": False}


def _repository(base_url: str, number: int) -> dict[str, object]:
    name = repository_name(number)
    url = f"{base_url}/repos/{LOGIN}/{name}"
    digest = hashlib.sha256(name.encode()).digest()
    html_url = f"https://github.com/{LOGIN}/{name}"
    identity: dict[str, object] = {
        "id": 1_296_269 + number,
        "node_id": f"R_kgDO{digest.hex()[:10]}",
        "name": name,
        "full_name": f"{LOGIN}/{name}",
        "private": False,
        "owner": _owner(base_url),
        "html_url": html_url,
        "description": _DESCRIPTION,
        "fork": number % 5 == 0,
        "url": url,
    }
    links = {name: url + tail for name, tail in _REPOSITORY_LINKS}
    counts = {
        "size": digest[0] * 40 + 108,
        "stargazers_count": digest[1],
        "watchers_count": digest[1],
        "forks_count": digest[2] % 20,
        "open_issues_count": digest[3] % 10,
        "forks": digest[2] % 20,
        "open_issues": digest[3] % 10,
        "watchers": digest[1],
    }
    return (
        identity
        | links
        | _dates_and_places(html_url, number)
        | counts
        | _FLAGS
        | _extras(base_url, digest)
    )


def _dates_and_places(html_url: str, number: int) -> dict[str, object]:
    day = f"{number % 28 + 1:02}"
    return {
        "created_at": f"2019-03-{day}T19:01:12Z",
        "updated_at": f"2024-06-{day}T08:30:45Z",
        "pushed_at": f"2024-06-{day}T08:30:41Z",
        "git_url": f"git:{html_url.removeprefix('https:')}.git",
        "ssh_url": f"git@github.com:{html_url.removeprefix('https://github.com/')}.git",
        "clone_url": f"{html_url}.git",
        "svn_url": html_url,
        "homepage": None,
        "mirror_url": None,
    }


def _extras(base_url: str, digest: bytes) -> dict[str, object]:
    return {
        "language": _LANGUAGES[digest[4] % len(_LANGUAGES)],
        "license": {
            "key": "mit",
            "name": "MIT License",
            "spdx_id": "MIT",
            "url": f"{base_url}/licenses/mit",
            "node_id": "MDc6TGljZW5zZTEz",
        },
        "topics": list(_TOPICS),
        "visibility": "public",
        "default_branch": "main",
        "permissions": {
            "admin": True,
            "maintain": True,
            "push": True,
            "triage": True,
            "pull": True,
        },
    }
