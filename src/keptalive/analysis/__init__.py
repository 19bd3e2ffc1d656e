"""From events to verdicts, purely: no socket, clock, environment or print in this folder."""
