"""`bench --program`: somebody's own programs, run under watch in each round.

`plan` says which programs, and whether with tuned Sessions; `within` is what runs in their
processes; `execution` runs one once; `trial` makes a trial of that, `outputs` compares what they
print, `runner` makes the rounds.
"""
