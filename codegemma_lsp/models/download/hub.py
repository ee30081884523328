"""Downloads a model's file from the Hugging Face Hub.

``hf_hub_download`` of huggingface_hub 2 never continues an interrupted transfer: it writes to a new file each time. The
hub's client is therefore used only for addresses, login and errors, and the bytes are streamed here.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from codegemma_lsp.models.catalogue import HubFile
from codegemma_lsp.models.download.part import Part, SourceFailed

CONNECT_SECONDS = 5.0
"""The maximum number of seconds to wait for a connection to the hub, so that the next source is tried soon if the hub
is out of reach."""
ATTEMPTS = 3
"""The number of failures in a row, without any progress, after which a transfer fails."""
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30
"""The longest pause in seconds that a transfer accepts. If the hub asks for a longer one, the transfer fails."""
constants.HF_HUB_DISABLE_TELEMETRY = True
"""Set, because the client would otherwise tell the hub which libraries and which program run on this machine."""
_BLOCK = 2**16
_LIBRARY = "codegemma-lsp"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RESET = re.compile(r"\bt=(\d+)")
_UNREACHABLE = (httpx2.RequestError, httpx2.InvalidURL)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file on the hub, with its size in bytes and its SHA-256."""

    url: str
    size: int
    sha256: str


def look_up(source: HubFile, sha256: str) -> Remote:
    """Returns the hub's metadata of a file. If ``sha256`` is not empty, the file must have this checksum.

    Raises ``SourceFailed``.
    """
    url = hf_hub_url(source.repo, source.filename, revision=source.revision, endpoint=os.environ.get("HF_ENDPOINT"))
    timeout = min(CONNECT_SECONDS, constants.HF_HUB_ETAG_TIMEOUT)
    try:
        found = _patiently(source, lambda: get_hf_file_metadata(url, timeout=timeout, library_name=_LIBRARY))
    except _UNREACHABLE as error:
        raise SourceFailed(f"the hub cannot be reached ({_why(error)})") from None
    if _SHA256.fullmatch(found.etag or "") is None or found.size is None:
        raise SourceFailed(f"the hub names no checksum for {source.filename} of {source.repo}")
    if sha256 and found.etag != sha256:
        raise SourceFailed(f"the hub has another file now at {source.filename} of {source.repo} (a wrong checksum)")
    return Remote(url=url, size=found.size, sha256=str(found.etag))


def fetch(source: HubFile, remote: Remote, part: Part) -> None:
    """Continues ``part`` at its end. Raises ``SourceFailed``, and what ``Part`` raises."""
    part.doing = f"from {source.repo}"
    failures = 0
    while part.size < remote.size:
        before = part.size
        try:
            _patiently(source, lambda: _stream(remote, part))
            reason = "it ended too early"
        except _UNREACHABLE as error:
            reason = _why(error)
        failures = 0 if part.size > before else failures + 1
        if part.size < remote.size:
            if failures >= ATTEMPTS:
                done, total = part.size / 1e6, remote.size / 1e6
                raise SourceFailed(f"the transfer from the hub broke off after {done:.0f} of {total:.0f} MB ({reason})")
            time.sleep(PAUSE_SECONDS)


def _stream(remote: Remote, part: Part) -> None:
    headers = {**build_hf_headers(library_name=_LIBRARY), "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    timeout = httpx2.Timeout(constants.HF_HUB_DOWNLOAD_TIMEOUT, connect=CONNECT_SECONDS)
    with get_session().stream("GET", remote.url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        if part.size and response.status_code != 206:
            part.keep(0)
        for block in response.iter_bytes(_BLOCK):
            part.write(block)


def _patiently(source: HubFile, ask: Callable[[], _T]) -> _T:
    """Sends a request, and once more after a pause if the hub asks for one. Transport errors of a transfer pass
    through."""
    try:
        return _once(source, ask, last=False)
    except _Wait as pause:
        time.sleep(pause.seconds)
        return _once(source, ask, last=True)


class _Wait(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def _once(source: HubFile, ask: Callable[[], _T], *, last: bool) -> _T:
    try:
        return ask()
    except OfflineModeIsEnabled:
        raise SourceFailed("the hub is switched off (HF_HUB_OFFLINE)") from None
    except HfHubHTTPError as error:
        seconds = _pause(error.response.headers)
        if error.response.status_code == 429 and seconds <= LONGEST_PAUSE_SECONDS and not last:
            raise _Wait(seconds) from None
        raise _refused(source, error) from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise SourceFailed(f"the hub cannot be reached ({_why(error)})") from None


def _pause(headers: Mapping[str, str]) -> float:
    """Returns the number of seconds for which the hub asks to wait, from either of its headers."""
    given = headers.get("Retry-After", "").strip()
    if given.isdigit():
        return float(given)
    reset = _RESET.search(headers.get("RateLimit", ""))
    return float(reset[1]) if reset else PAUSE_SECONDS


def _refused(source: HubFile, error: HfHubHTTPError) -> SourceFailed:
    """Returns the reason for a refusal, by its status. The classes of errors depend on the address and on the
    mirror."""
    status = error.response.status_code
    if isinstance(error, GatedRepoError):  # a subclass of RepositoryNotFoundError
        return SourceFailed(
            f"{source.repo} is gated",
            f"accept its terms on {source.page}, log in with hf auth login or set HF_TOKEN, and",
        )
    if status == 401:
        return SourceFailed(
            f"the hub wants a login for {source.repo} (401)", "log in with hf auth login or set HF_TOKEN, and"
        )
    if status == 403:
        return SourceFailed(
            f"the hub does not allow {source.repo} for this login (403)", f"ask for access on {source.page}, and"
        )
    if status == 404:
        return SourceFailed(f"the hub has no {source.filename} in {source.repo} (404)")
    if status == 429:
        return SourceFailed(f"the hub takes no more requests for {_pause(error.response.headers):.0f} s (429)")
    return SourceFailed(f"the hub failed ({status})")


def _why(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).rstrip(".") or type(error).__name__
