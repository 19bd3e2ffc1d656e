"""long_watch_memory.py ROUTES KEPT: what a watch has allocated, after more and more hosts.

With these bounds of its ledger. Each step has new hosts, and two Sessions and connections for each;
prints a JSON list of bytes by tracemalloc.
"""

import gc
import json
import math
import socket
import subprocess
import sys
import tracemalloc

import requests

from keptalive.causes import settling
from keptalive.watching import ledger
from keptalive.watching.api import watch

SERVER = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
def serve(sock):
    while sock.recv(65536):
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    sock.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

routes, kept = map(int, sys.argv[1:])
ledger.ROUTES_KEPT, ledger.KEPT, ledger.BATCH = routes, kept, kept // 2
settling.OWNERS_KEPT = 20
found = socket.getaddrinfo
socket.getaddrinfo = lambda _host, *rest, **more: found("127.0.0.1", *rest, **more)
names = iter(range(1_000_000))


def ask(seen, port, hosts):
    for _ in range(hosts):
        for name in (f"h{next(names)}", "same"):
            with requests.Session() as session:
                session.trust_env = False
                session.get(f"http://{name}.test:{port}/")
    seen.totals()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
    port = int(server.stdout.readline())
    tracemalloc.start()
    with watch(window_s=math.inf) as seen:
        sizes = [ask(seen, port, 2 * routes), *(ask(seen, port, routes) for _ in range(3))]
        sys.stdout.write(json.dumps({"bytes": sizes, "opened": seen.opened}))
    server.kill()
