"""The process that a code step runs in: started fresh, shut in, used once.

`entry` is its main function; it shuts itself in (`walls`) and hands the code to an interpreter that
has no I/O of its own (`javascript`, `python`). Nothing here may import more than it needs: each
step pays for it.
"""
