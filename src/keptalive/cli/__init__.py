"""The command line: reads options, shows progress, prints, leaves with a code.

`main` finds the command, and turns errors into lines and codes; each command has a module, which
is imported when it is called. Nothing is decided here.
"""
