"""huggingface_hub: a model, pages of models, a file, all files, one that is missing."""

# ruff: noqa: T201 - what it prints is what the test compares

import sys
from itertools import islice
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError

url, _bundle = sys.argv[1:]
api = HfApi(endpoint=url, token="hf_a-secret")
print(api.model_info("org/model").id)
print([model.id for model in islice(api.list_models(author="org"), 4)])
one = hf_hub_download("org/model", "config.json", endpoint=url, cache_dir="cache")
print(Path(one).read_text())
print(api.file_exists("org/model", "config.json"), api.file_exists("org/model", "missing"))
everything = snapshot_download("org/model", endpoint=url, cache_dir="cache", max_workers=2)
print(sorted((path.name, path.stat().st_size) for path in Path(everything).iterdir()))
try:
    api.model_info("org/nothing")
except RepositoryNotFoundError as error:
    print(type(error).__name__, error.response.status_code)
try:
    hf_hub_download("org/model", "missing", endpoint=url, cache_dir="cache")
except EntryNotFoundError as error:
    print(type(error).__name__, error.response.status_code)
