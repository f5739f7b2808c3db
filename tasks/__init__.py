"""What every Despacho process agrees on: the catalog of task types, the record of a task, the table of
moves, and the one door to Redis.

This package is the leaf: it imports nothing of ours, and neither Dramatiq nor Starlette.
"""
