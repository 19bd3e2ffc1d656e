"""PyGithub: a user, the pages of repositories, and one that is missing."""

# ruff: noqa: T201 - what it prints is what the test compares

import sys
from itertools import islice

from github import Auth, Github, UnknownObjectException

url, bundle = sys.argv[1:]
auth = Auth.Token("github_pat_a-secret")
with Github(base_url=url, auth=auth, verify=bundle, per_page=2) as github:
    user = github.get_user()
    print(user.login)
    for repository in islice(user.get_repos(), 5):
        print(repository.full_name)
    try:
        github.get_repo("nobody/nothing")
    except UnknownObjectException as error:
        print(error.status, error.data)
