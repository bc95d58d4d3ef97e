"""Checks the site of the notebooks, opened from the disk, in a headless Chromium.

Called by `cargo d2l test` after `cargo d2l book`. Screenshots go to target/jupyterlab. Skipped, with a
line that says so, where there is no Chromium; another one can be named in CHROMIUM.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
SITE = ROOT / "target" / "book"
SHOTS = ROOT / "target" / "jupyterlab"
NOTEBOOKS = ("image_augmentation", "solutions/fine_tuning", "fine_tuning")
WORDS = {"en": "transfer learning", "ja": "転移学習"}


def check(holds, what):
    if not holds:
        sys.exit(f"the site: {what}")


def look_at(page, language, name):
    page.goto((SITE / language / f"{name}.html").as_uri())
    page.wait_for_selector("mjx-container", timeout=30_000)
    check(page.locator("html").get_attribute("lang") == language, f"{name} is not in {language}")
    images = page.locator("article img").evaluate_all(
        "all => all.map(i => [i.getAttribute('src'), i.alt, i.complete && i.naturalWidth > 0])"
    )
    check(len(images) >= 3, f"{language}/{name} has {len(images)} images")
    for source, alternative, is_shown in images:
        check(is_shown, f"{source} is not shown")
        check(alternative and "_images" not in alternative, f"{source} has no description")
    page.screenshot(path=SHOTS / f"book-{language}-{name.replace('/', '-')}.png", full_page=True)


def main():
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("skipped: the site: there is no Chromium here; name one in CHROMIUM")
        return
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for language in WORDS:
            for name in NOTEBOOKS:
                look_at(page, language, name)
        # The switch leads to the same page in the other language.
        page.locator('nav[aria-label="language"] a').click()
        check(page.url == (SITE / "en" / f"{NOTEBOOKS[-1]}.html").as_uri(), f"the switch led to {page.url}")
        for language, word in WORDS.items():
            page.goto((SITE / language / "search.html").as_uri() + f"?q={word}")
            page.locator("#search-results li a").first.wait_for(timeout=30_000)
        page.emulate_media(color_scheme="dark")
        page.goto((SITE / "ja" / "fine_tuning.html").as_uri())
        page.wait_for_selector("mjx-container", timeout=30_000)
        page.screenshot(path=SHOTS / "book-dark.png")
        elsewhere = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
        check(not elsewhere, f"it asks the network for {elsewhere[:3]}")
        browser.close()
    print(f"the site: opens from the disk in {len(WORDS)} languages; screenshots in {SHOTS}")


main()
