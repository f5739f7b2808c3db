"""Nothing lost, nothing twice: tasks under load while something is killed, stopped, cut or staged wrong.

Every task writes down its executions outside of Redis (`recording.py`). A case (`cases/`) breaks something; then the
system gets its time to recover, and the executions are held against what was submitted (`verdict.py`). The same cases
run against Dramatiq as it comes: `python -m tests.faults --stock` prints both in one table. This measures no speed.
"""
