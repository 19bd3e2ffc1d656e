"""`keptalive run`: somebody's program under watch, and one report of all its processes.

The way from ``keptalive run x.py`` to the first line of the report:

1. `keptalive.cli.main` recognises the command; `keptalive.cli.running` reads its options (if they
   are not plain, typer does, in `keptalive.cli.run`) and calls `launch.run`.
2. `launch.run`: `command` finds out what to start, `folder` makes the folder for what the processes
   will leave, `process` starts the program and waits for its end.
3. Meanwhile, in each Python process of the program: `inject.sitecustomize` (by
   `inject._keptalive_turn`) starts `inject._keptalive_process`, which starts the watcher
   (`process_watcher`); watching begins once requests or urllib3 is imported, and what it recorded
   is written into the folder when the process ends.
4. `folder.await_late_ones` waits up to a second for the last processes; `collect` reads the folder
   (`process_reports`) and says which processes are missing.
5. `final_report` lets `keptalive.causes.judge` judge all records together.
6. `keptalive.cli.running` prints what `keptalive.render.terminal.report` builds.

Up to the program's start only light modules are imported: what 4 to 6 need comes after its end.
"""
