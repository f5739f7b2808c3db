"""One reader per kind of file: bytes in, an `Extract` out, `UnreadableError` for a file that gives none.

They run only in the reading process. None of them believes the file's name; `sniffing` chooses among them.
"""
