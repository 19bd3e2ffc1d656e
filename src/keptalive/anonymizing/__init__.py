"""A report for a public issue: hosts, files and paths have other names, the same everywhere.

`pseudonyms` gives the names and finds in a text what needs one; `report` knows where a report has
texts. No I/O: no name here is looked up anywhere.
"""
