"""The torture rig: real processes on loopback, faults by the hundred, every event accounted for.

`python -m torture` runs it; `torture.rows` says what each row of the table proves.
"""
