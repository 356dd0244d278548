"""A small WebHDFS server in this process: a name node and a data node over a local folder."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

PREFIX = "/webhdfs/v1"


@contextmanager
def webhdfs_server(root: Path) -> Iterator[str]:
    """Serve a folder for as long as the context lasts; the value is `webhdfs://HOST:PORT`."""
    handler = type("Handler", (_Handler,), {"root": root})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"webhdfs://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    root: Path

    def do_GET(self) -> None:
        path, operation = self._asked()
        if not path.exists():
            self._refuse()
        elif operation["op"] == "OPEN":
            first = int(operation.get("offset", 0))
            data = path.read_bytes()[first:]
            self._answer(data[: int(operation.get("length", len(data)))])
        elif operation["op"] == "LISTSTATUS":
            entries = sorted(path.iterdir()) if path.is_dir() else [path]
            named = [self._status(entry, entry.name if path.is_dir() else "") for entry in entries]
            self._tell({"FileStatuses": {"FileStatus": named}})
        elif operation["op"] == "GETFILESTATUS":
            self._tell({"FileStatus": self._status(path, "")})

    def do_PUT(self) -> None:
        path, operation = self._asked()
        if operation["op"] == "MKDIRS":
            path.mkdir(parents=True, exist_ok=True)
            self._tell({"boolean": True})
        elif operation["op"] == "CREATE" and "data" not in operation:
            self._go_to_data_node()
        elif operation["op"] == "CREATE":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._body())
            self._answer(b"", status=201)

    def do_POST(self) -> None:
        path, operation = self._asked()
        if "data" not in operation:
            self._go_to_data_node()
            return
        with path.open("ab") as file:
            file.write(self._body())
        self._answer(b"")

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        self._tell({"boolean": True})

    def _asked(self) -> tuple[Path, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        return self.root / unquote(parts.path).removeprefix(PREFIX).strip("/"), query

    def _status(self, path: Path, name: str) -> dict[str, object]:
        status = path.stat()
        return {
            "pathSuffix": name,
            "type": "DIRECTORY" if path.is_dir() else "FILE",
            "length": 0 if path.is_dir() else status.st_size,
            "modificationTime": status.st_mtime_ns // 1_000_000,
        }

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _go_to_data_node(self) -> None:
        self._body()
        host = self.headers["Host"]
        self._answer(b"", status=307, location=f"http://{host}{self.path}&data=true")

    def _tell(self, value: object) -> None:
        self._answer(json.dumps(value).encode())

    def _refuse(self) -> None:
        told = {"RemoteException": {"exception": "FileNotFoundException", "message": "not there"}}
        self._answer(json.dumps(told).encode(), status=404)

    def _answer(self, data: bytes, *, status: int = 200, location: str | None = None) -> None:
        self.send_response(status)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing: tests read what the programs print."""
