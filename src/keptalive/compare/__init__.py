"""Two results, or a result and its limits: verdicts. No I/O."""
