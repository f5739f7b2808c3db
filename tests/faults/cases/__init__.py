"""The cases, by what is broken. Importing this registers all of them, in the order of the table."""

from tests.faults.cases import workers, front, server, connections, hands, clocks, twice  # noqa: F401, I001
