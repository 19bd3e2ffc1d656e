"""Runs a command as `keptalive run` will: driver.py RAN.json COMMAND..., leaving with its code."""

import dataclasses
import json
import sys
from pathlib import Path

from keptalive.run.launch import run

ran = run(sys.argv[2:], watcher="counting.start")
Path(sys.argv[1]).write_text(json.dumps(dataclasses.asdict(ran)))
sys.exit(ran.exit_code)
