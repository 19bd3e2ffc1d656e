"""The records that everything is drawn from: standard library only."""
