"""The local document engine: text, type, entities and deadlines of one file, read offline.

`local.py` is the engine; it runs in the worker and touches no file's bytes itself. `reader.py` is the process that
does, with bounds on memory and time, and is killed for a limit or a cancellation. `formats/` holds one reader per
kind of file. What the text means is found by `actors.engines.text`, except for the document's type
(`classification.py`).
"""
