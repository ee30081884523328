"""What scripts/release checks holds for this checkout, and what it should refuse it refuses with a sentence."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "release"
READ = (
    ".github/CHANGELOG.md",
    "README.md",
    "codegemma_lsp/__init__.py",
    "editors/vscode/package-lock.json",
    "editors/vscode/package.json",
    "pyproject.toml",
)


def load() -> Any:
    """The script as a module; it leaves no bytecode beside it."""
    loader = importlib.machinery.SourceFileLoader("release_script", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        loader.exec_module(module)
    return module


release = load()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and sdist, built from this checkout; building checks them."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout, so that nothing says which files belong to it.")
    folder = tmp_path_factory.mktemp("packages")
    release.build(ROOT, folder)
    return folder


def names_in(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What `check` reads, of a project whose pages link nothing."""
    for name in READ:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "README.md").write_text("# codegemma-lsp\n", "utf-8")
    (tmp_path / ".github" / "SUPPORT.md").touch()
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_versions_changelog_and_links_agree() -> None:
    release.check(ROOT)


def test_the_command_prints_the_notes_of_the_version() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "notes"], capture_output=True, check=True, timeout=30)
    notes = done.stdout.decode()
    assert "### " in notes
    assert "\n## " not in notes
    assert "]: https://" not in notes


def test_packages_hold_what_belongs_to_them(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    pages = {f"codegemma_lsp/docs/{page.name}" for page in (ROOT / "codegemma_lsp" / "docs").iterdir()}
    assert {"codegemma_lsp/models/nano/nano.gguf", "codegemma_lsp/py.typed", *pages} <= names_in(wheel)
    assert len(list(packages.glob("*.tar.gz"))) == 1


def test_pictures_on_pypi_come_from_the_tag(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"codegemma_lsp-{release.version(ROOT)}.dist-info/METADATA").decode()
    pictures = [target for target in release.links((ROOT / "README.md").read_text("utf-8")) if "png" in target]
    assert pictures
    for picture in pictures:
        assert f"/v{release.version(ROOT)}/{picture}" in metadata


def test_a_wheel_without_the_bundled_model_is_refused(packages: Path, tmp_path: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    broken = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(broken, "w") as part:
        for name in whole.namelist():
            if not name.endswith(".gguf"):
                part.writestr(name, whole.read(name))
    with pytest.raises(release.Problem, match=r"The wheel lacks codegemma_lsp/models/nano/nano\.gguf"):
        release.check_wheel(ROOT, broken)


def test_a_file_that_git_does_not_know_is_refused() -> None:
    with pytest.raises(release.Problem, match=r"files that git does not know: notes\.txt"):
        release.compare("sdist", {"a.py", "notes.txt"}, {"a.py"}, set())


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        (
            "pyproject.toml",
            'version = "',
            'version = "9',
            r"The version is 9.* in pyproject\.toml and .* in codegemma_lsp",
        ),
        ("editors/vscode/package.json", '"version": "', '"version": "9', r"and 9.* in editors/vscode/package\.json"),
        ("editors/vscode/package-lock.json", '"version": "', '"version": "9', r"and 9.* in .*package-lock\.json"),
        (".github/CHANGELOG.md", f"## [{release.version(ROOT)}] - ", "## [9.0.0] - ", "has no section for the version"),
        (".github/CHANGELOG.md", f"\n[{release.version(ROOT)}]: ", "\n[9.0.0]: ", "does not say where"),
        ("README.md", "\n", "\n![shot](shot.png)\n", r"README\.md links shot\.png, which does not exist"),
        ("pyproject.toml", '\nIssues = "https://', '\nIssues = "https://elsewhere.', "make them agree"),
    ],
)
def test_what_contradicts_is_refused(copy: Path, file: str, old: str, new: str, why: str) -> None:
    release.check(copy)
    replace(copy / file, old, new)
    with pytest.raises(release.Problem, match=why):
        release.check(copy)


def test_a_tag_needs_its_version_a_date_and_a_clean_tree(copy: Path) -> None:
    tag = f"v{release.version(copy)}"
    subprocess.run(["git", "init", "--quiet", copy], check=True)
    with pytest.raises(release.Problem, match="The work tree has changes"):
        release.check(copy, tag)
    with pytest.raises(release.Problem, match=r"and 9\.9\.9 in the tag"):
        release.check(copy, "v9.9.9")
    date = release.changelog(copy)[0]
    replace(copy / ".github" / "CHANGELOG.md", f"] - {date}", "] - soon")
    with pytest.raises(release.Problem, match="has no date"):
        release.check(copy, tag)


def test_an_extension_of_another_version_is_refused(tmp_path: Path) -> None:
    vsix = tmp_path / "codegemma.vsix"
    with zipfile.ZipFile(vsix, "w") as archive:
        for name in (*release.IN_EXTENSION, f"extension/dist/{release.wheel_name(ROOT)}"):
            archive.writestr(name, json.dumps({"version": "9.9.9"}))
    with pytest.raises(release.Problem, match=r"is of version 9\.9\.9"):
        release.check_extension(ROOT, vsix)
    vsix.unlink()
    with zipfile.ZipFile(vsix, "w") as archive:
        archive.writestr("extension/package.json", "{}")
    with pytest.raises(
        release.Problem,
        match=r"lacks extension/dist/codegemma_lsp-[\d.]+-py3-none-any\.whl, extension/dist/extension\.js",
    ):
        release.check_extension(ROOT, vsix)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](b.md#c) and ![d](e.png)", ["b.md#c", "e.png"]),
        ("[a](https://b) [c](#d)", []),
        ('<img src="a.png" width="3">\n\n[b]: c.md\n', ["a.png", "c.md"]),
    ],
)
def test_links_are_found(text: str, found: list[str]) -> None:
    assert release.links(text) == found
