"""The gateway process of Despacho as it is; it picks a free port and tells which one."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from gateway import serve
from tasks.settings import Settings


def main() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    serve.announce_ready = lambda: Path(os.environ["FAULTS_PORT_FILE"]).write_text(str(port))
    return serve.main(Settings.load(port=port))


if __name__ == "__main__":
    sys.exit(main())
