"""Bad days as data: what a user, a disk or a server can do wrong, and what mmlib must say of it.

``cases_*.py`` hold the list: one ``Case`` a line or two. ``test_refused.py`` holds each of them against one rule: exit
code 2 or ``InputError``, a short message that names the thing, no traceback, in seconds, and nothing new on the disk.
``test_accepted.py`` has what looks bad and is not, with the result it must give; ``test_remedies.py`` follows what
messages advise.
"""
