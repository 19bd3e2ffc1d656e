import requests


def prices_one_by_one(url, products):
    return [requests.get(f"{url}/prices/{product}", timeout=5).json() for product in products]


class Shop:
    def __init__(self, url):
        self.url = url
        self.session = requests.Session()

    def prices(self, products):
        return [self._get(f"/prices/{product}") for product in products]

    def close(self):
        self.session.close()

    def _get(self, path):
        return self.session.get(self.url + path, timeout=5).json()
