"""A program that has nothing to do with keptalive: it reads three pages."""

import os

import requests

URL = os.environ["API_URL"]


def pages():
    with requests.Session() as session:
        return [session.get(f"{URL}/page/{number}", timeout=5).status_code for number in range(3)]


if __name__ == "__main__":
    print(pages())  # noqa: T201
