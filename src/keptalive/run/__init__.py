"""`keptalive run`: somebody's program under watch, and one report of all its processes.

The way from ``keptalive run x.py`` to the first line of the report:

1. `keptalive.cli.main` recognises the command, `keptalive.cli.running` its options.
2. `launch.run` does the rest of the first half: `command` finds out what to start, `folder` makes
   the folder for what the processes will leave, `process` starts the program and waits for its end.
3. Meanwhile, in each Python process of the program: `inject.sitecustomize` starts
   `inject._keptalive_process`, which starts the watcher (`process_watcher`) and writes what that
   has recorded into the folder when the process ends.
4. `collect` reads the folder (`process_reports`) and adds what was not seen.
5. `final_report` has all records judged together; `keptalive.render.terminal.report` shows it.

Up to the program's start only light modules are imported: what 4 and 5 need comes after its end.
"""
