"""spotipy: a track, the pages of a playlist, a search, a retry after 429, and an error."""

# ruff: noqa: T201 - what it prints is what the test compares

import sys

import spotipy

SOME_ID = "0123456789abcdefABCDEF"
url, _bundle = sys.argv[1:]
client = spotipy.Spotify(auth="a-secret", retries=2, backoff_factor=0)
client.prefix = f"{url}/v1/"
print(client.track(SOME_ID)["name"])
page = client.playlist_items(SOME_ID)
while page:
    print([item["track"]["name"] for item in page["items"]])
    page = client.next(page) if page["next"] else None
print(client.search("a song", limit=2)["tracks"]["items"])
print(client.album(SOME_ID)["name"])
try:
    client.artist(SOME_ID)
except spotipy.SpotifyException as error:
    print(error.http_status, error.reason, error.msg)
