import http.server
import json
import threading

import pytest
from shopclient import Shop


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # http.server's own 1.0 would close after each answer
    disable_nagle_algorithm = True

    def do_GET(self):
        body = json.dumps({"asked": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/last-order":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def url():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever, args=[0.01])
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def shop(url):
    shop = Shop(url)
    yield shop
    shop.close()
