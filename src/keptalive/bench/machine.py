"""What a result depends on besides the code: versions and the machine it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import ssl
from typing import Any

LIBRARIES = ("keptalive", "requests", "urllib3")


def environment() -> dict[str, Any]:
    """The versions and the machine, for the result file."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
        "openssl": ssl.OPENSSL_VERSION,
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }
