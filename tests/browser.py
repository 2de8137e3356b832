"""A real Chromium for tests of pages, which reaches this machine and no other.

A test module takes the fixture with `from tests.browser import chromium  # noqa: F401` and opens
files with `opened`.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")

# The sandbox needs rights a container lacks, and opens only pages made here.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """Yield a headless Chromium; skip the test if there is none on this machine."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: install one of {', '.join(NAMES)} to run the tests of pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: "Browser", path: Path, fragment: str = "", **settings) -> Iterator["Page"]:
    """Yield the page of a file on disk, `fragment` after its "#"; at the end it must be clean.

    settings: of a Playwright context, such as viewport or color_scheme. Clean: no error in the
    console, none thrown, and nothing asked for but files on disk.
    """
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(60_000)
    trouble = trouble_of(page)
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:")) or trouble.append(request.url)
        ),
    )
    try:
        page.goto(path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        yield page
        assert not trouble, trouble
    finally:
        context.close()


def trouble_of(page: "Page") -> list[str]:
    """Return a list to which every error is added that the page logs or throws from now on."""
    trouble: list[str] = []
    page.on("console", lambda said: said.type == "error" and trouble.append(said.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    return trouble
