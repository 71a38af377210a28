"""Makes the virtual environment in .venv from requirements.lock; quick when it is there and up to date.

    python3 tools/environment.py [FOLDER]

Needs nothing but Python 3.11 or later. Where the distribution has split off ensurepip (Debian's python3-venv), pip itself is fetched
as a wheel from the package index that pip is set up for.
"""

from __future__ import annotations

import hashlib
import html.parser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = CHECKOUT / "requirements.lock"
STAMP = "installed-from"
OLDEST = (3, 11)
DEFAULT_INDEX = "https://pypi.org/simple"


class Trouble(Exception):
    """The environment could not be made; the text says what to do."""


def wanted() -> str:
    """What the environment must be made from: the lock file and the interpreter."""
    return f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version} {sys.base_prefix}\n"


def up_to_date(folder: Path) -> bool:
    """Whether the environment in `folder` was made from this lock file by this interpreter."""
    stamp = folder / STAMP
    return (folder / "bin" / "python").exists() and stamp.is_file() and stamp.read_text() == wanted()


def make(folder: Path) -> None:
    """Make the environment anew. Raises Trouble."""
    if folder.exists() and not (folder / "pyvenv.cfg").is_file():
        raise Trouble(f"{folder} is there and is no virtual environment. Move it away.")
    print(f"Making the environment in {folder} ...", file=sys.stderr, flush=True)
    with_pip = importlib.util.find_spec("ensurepip") is not None
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=with_pip).create(folder)
    python = str(folder / "bin" / "python")
    options = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--require-hashes",
        "-r",
        str(LOCK),
    ]
    if with_pip:
        run([python, "-m", "pip", *options])
    else:
        with tempfile.TemporaryDirectory() as temporary:
            run([python, f"{fetch_pip(Path(temporary))}/pip", *options])
    (folder / STAMP).write_text(wanted())


def run(command: list[str]) -> None:
    """Run pip, letting it say what goes wrong."""
    if subprocess.run(command, check=False).returncode != 0:
        raise Trouble(
            "The packages of requirements.lock could not be installed. If a package index needs a proxy or a mirror,"
            " set it up for pip (pip config, or PIP_INDEX_URL) and try again."
        )


class Links(html.parser.HTMLParser):
    """Collects the links of a package index page (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the target of an anchor."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def fetch_pip(folder: Path) -> Path:
    """Fetch the newest plain pip wheel into `folder` and return its path; its hash is checked against the index's."""
    page = os.environ.get("PIP_INDEX_URL", DEFAULT_INDEX).rstrip("/") + "/pip/"
    try:
        with urllib.request.urlopen(page, timeout=30) as answer:
            links = Links()
            links.feed(answer.read().decode())
        wheels = [link for link in links.found if re.search(r"/pip-\d+(\.\d+)*-py3-none-any\.whl(#|$)", link)]
        if not wheels:
            raise Trouble(f"{page} holds no pip wheel.")
        chosen = max(wheels, key=version_of)
        address, _, check = urllib.parse.urljoin(page, chosen).partition("#")
        with urllib.request.urlopen(address, timeout=60) as answer:
            data = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise Trouble(
            f"This Python has no ensurepip, and pip cannot be fetched from {page}: {error}."
            " Install python3-venv (apt-get install python3-venv) and try again."
        ) from error
    if check.startswith("sha256=") and hashlib.sha256(data).hexdigest() != check.removeprefix("sha256="):
        raise Trouble(f"{address} does not have the hash that its index promises.")
    wheel = folder / address.rsplit("/", 1)[1]
    wheel.write_bytes(data)
    return wheel


def version_of(link: str) -> tuple[int, ...]:
    """The version in a pip wheel's name, to compare by."""
    match = re.search(r"/pip-(\d+(?:\.\d+)*)-py3", link)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def main(arguments: list[str]) -> int:
    """Make the environment if need be."""
    if sys.version_info < OLDEST:
        needed = ".".join(map(str, OLDEST))
        print(
            f"Python {needed} or later is needed; this is {sys.version.split()[0]} ({sys.executable}).",
            file=sys.stderr,
        )
        return 1
    folder = Path(arguments[0]) if arguments else CHECKOUT / ".venv"
    if up_to_date(folder):
        return 0
    try:
        make(folder)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        shutil.rmtree(folder / STAMP, ignore_errors=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
