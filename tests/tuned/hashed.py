"""A directory of CAs, as ``openssl rehash`` makes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to hash names")


def rehashed(folder: Path, **authorities: trustme.CA) -> str:
    """A directory of CA certificates, each linked to by its hash."""
    folder.mkdir()
    for name, ca in authorities.items():
        ca.cert_pem.write_to_path(folder / f"{name}.pem")
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    return str(folder)
