"""A Session subclass: URLs from a base, hooks, its own send, errors from the status, a stream."""

# ruff: noqa: T201 - what it prints is what the test compares

import sys

import requests

url, bundle = sys.argv[1:]


class Client(requests.Session):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.sent = 0
        self.verify = bundle
        self.headers["Authorization"] = "Bearer a-secret"
        self.hooks["response"].append(self.on_response)

    def on_response(self, response, **settings):
        print("hook", response.status_code, sorted(settings), bool(settings["stream"]))

    def request(self, method, path, *args, **settings):
        return super().request(method, self.base + path, *args, **settings)

    def send(self, request, **settings):
        self.sent += 1
        return super().send(request, **settings)

    def get_adapter(self, url):
        adapter = super().get_adapter(url)
        print("adapter", type(adapter).__name__, adapter.max_retries.total)
        return adapter


with Client(url) as client:
    print(client.get("/user").json(), client.post("/echo", json={"a": 1}).text)
    print(client.put("/echo", data=iter([b"in ", b"chunks"])).text)
    print(client.get("/redirect").history, client.get("/redirect").url.removeprefix(url))
    with client.get("/large", stream=True) as large:
        print(sum(len(chunk) for chunk in large.iter_content(1000)))
    print(client.get("/large", stream=True).raw.read(5))
    try:
        client.get("/not-there").raise_for_status()
    except requests.HTTPError as error:
        print(str(error).replace(url, ""))
    client.cookies.set("name", "value")
    print(client.get("/cookie").text, client.sent, client.get("/user").elapsed.days)
