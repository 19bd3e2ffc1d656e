"""`keptalive run`: somebody's program under watch, and what its processes recorded."""
