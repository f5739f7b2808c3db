"""What stands between Dramatiq and the ledger: the broker, its consumer and worker, and the middleware in which
a task's life is told. This is Dramatiq's middleware, not ASGI's.
"""
