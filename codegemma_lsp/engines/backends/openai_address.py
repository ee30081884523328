"""Where a model's server is, and the key for it: what a ``model`` setting that is an address means."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from codegemma_lsp.engines.protocol import ModelUnusable

KEY_VARIABLE = "CODEGEMMA_API_KEY"
KEY_FILE_VARIABLE = "CODEGEMMA_API_KEY_FILE"
_PATH = "/v1"
_LONGEST_KEY = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server, whose interface is below ``base``, and the ``model`` to ask it for, which is "" for its only one."""

    base: str
    model: str
    is_local: bool

    @property
    def root(self) -> str:
        """Returns the address without the ``/v1`` at its end, below which servers have their own methods."""
        return self.base.removesuffix(_PATH)


def parse_address(model: str, *, allow_plain_http: bool) -> Address:
    """Returns what a setting such as ``http://127.0.0.1:8080#name`` means. Raises ``ModelUnusable``."""
    try:
        parts = urlsplit(model)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        raise ModelUnusable(_no_address("it is no address")) from None
    if problem := _problem(parts, host):
        raise ModelUnusable(_no_address(problem))
    is_local = _is_loopback(host)
    if parts.scheme.lower() == "http" and not is_local and not allow_plain_http:
        raise ModelUnusable(
            f"{host} would be sent the code unencrypted; write https:// before it, or set allowPlainHttp to true in the"
            " user's settings."
        )
    path = parts.path.rstrip("/")
    path = path if path.endswith(_PATH) else path + _PATH
    shown = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme.lower()}://{shown}{f':{port}' if port is not None else ''}{path}"
    return Address(base=base, model=unquote(parts.fragment), is_local=is_local)


def _problem(parts: SplitResult, host: str) -> str:
    if not host:
        return "it names no host"
    if parts.username is not None or parts.password is not None:
        return f"it holds a user or a password, and keys are taken from {KEY_VARIABLE} only"
    return "it has a query" if parts.query else ""


def _no_address(why: str) -> str:
    """Returns a sentence that does not repeat the address, because somebody may have written a password into it."""
    return f"The address of the model's server cannot be used ({why}); write it as in http://127.0.0.1:8080#name."


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def api_key(environment: Mapping[str, str]) -> str:
    """Returns the key that the environment has or names the file of, or "". Raises ``ModelUnusable`` for a file that
    others may read, and for what cannot be a key."""
    key, source = environment.get(KEY_VARIABLE, ""), KEY_VARIABLE
    if not key and (file := environment.get(KEY_FILE_VARIABLE, "")):
        key, source = _key_in(Path(file).expanduser()), KEY_FILE_VARIABLE
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelUnusable(f"{source} holds no key: one is printable ASCII without blanks; correct it.")
    return key


def _key_in(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            about = os.fstat(opened.fileno())
            if os.name == "posix" and stat.S_IMODE(about.st_mode) & ~0o600:
                raise ModelUnusable(f"Others may use the key in {path}; run: chmod 600 {path}")
            return opened.read(_LONGEST_KEY).decode("ascii", "replace")
    except OSError as error:
        raise ModelUnusable(
            f"{KEY_FILE_VARIABLE} names {path}, which cannot be read ({error.strerror}); correct it."
        ) from None
