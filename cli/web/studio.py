"""The visitors of the page, and the job of each. All files lie in one folder, which is removed with the server."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from volstyle.errors import InputError

from .job import Job
from .uploads import MOST_STYLES, take_in
from .wish import Wish

_PATIENCE_S = 5.0
"""How many seconds to wait for the end of a run when its page, or the server, is closed."""


class Studio:
    """All jobs of a server. root: the folder of all files. most_bytes: the size of an upload at most. Each open
    page chooses a name for its visitor; the files of a job are fetched by a key that nobody can guess."""

    def __init__(self, root: Path, most_bytes: int) -> None:
        self.root, self.most_bytes = root, most_bytes
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def begin(self, visitor: str, wish: Wish) -> Job:
        """Make a new job for a visitor, in place of an earlier one. Raises InputError."""
        self.leave(visitor)
        key = secrets.token_urlsafe(16)
        folder = self._folder(f"job-{key}")
        content, *styles = self._taken_in(folder, (wish.content, *wish.styles))
        job = Job(key, replace(wish, content=content, styles=tuple(styles)), folder)
        with self._lock:
            self._jobs[visitor] = job
        return job

    @contextmanager
    def trying(self, *uploads: Path) -> Iterator[list[Path]]:
        """A context that gives uploads as files of a folder, which is removed afterwards. Raises InputError."""
        folder = self._folder(f"try-{secrets.token_hex(8)}")
        try:
            yield self._taken_in(folder, uploads)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def job(self, visitor: str) -> Job | None:
        """The job of a visitor, if there is one."""
        with self._lock:
            return self._jobs.get(visitor)

    def fetched(self, key: str) -> Job | None:
        """The job with that key, if it is still there."""
        with self._lock:
            found = [job for job in self._jobs.values() if secrets.compare_digest(job.key, key)]
        return found[0] if found else None

    def leave(self, visitor: str) -> None:
        """Stop the job of a visitor, and remove its files."""
        with self._lock:
            job = self._jobs.pop(visitor, None)
        if job is not None:
            job.stop()
            job.join(_PATIENCE_S)
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Stop all jobs, and wait for a while until they have ended."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop()
        for job in jobs:
            job.join(_PATIENCE_S)

    @property
    def stored_bytes(self) -> int:
        """How many bytes all files in the folder have."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir()
        return folder

    def _taken_in(self, folder: Path, uploads: Sequence[Path]) -> list[Path]:
        """Uploads as files of a folder, the content first."""
        if len(uploads) > MOST_STYLES + 1:
            raise InputError(f"styles: more than {MOST_STYLES} were dropped; take some away")
        return take_in(self.root, folder, [str(path) for path in uploads])
