"""Look at the built site in headless Chromium, as a reader would.

    python docs/check_site.py [--pictures FOLDER] [docs/_build/html]

Each page loads without an error of a script and without asking the network for anything, each link
within the site leads somewhere, each picture is there, and the search finds "likelihood". It needs
chromium and chromedriver, such as Debian's packages chromium and chromium-driver, and the extra
`docs`. With --pictures it keeps screenshots of three pages, wide and narrow.
"""

import argparse
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from threading import Thread
from urllib.parse import urldefrag, urlsplit

from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.ui import WebDriverWait

SEEN = {"index.html", "gallery/plot_first_steps.html", "api/generated/skvae.VAETransformer.html"}
WIDTHS = 1280, 390  # of a screen and of a telephone
SECONDS = 20  # until the search has an answer
LOOK = """
return {
  links: [...document.querySelectorAll("a[href]")].map(a => a.href),
  ids: [...document.querySelectorAll("[id]")].map(e => e.id),
  broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src),
  fetched: performance.getEntriesByType("resource").map(r => r.name),
  wide: [...document.querySelectorAll(".bd-article :is(h1, h2, p, img)")].filter(
    e => !e.closest("pre, table, .equation")
      && (e.getBoundingClientRect().right > innerWidth || e.scrollWidth > e.clientWidth + 1)
  ).map(e => e.tagName + " " + e.textContent.slice(0, 40)),
}
"""


class Silent(SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def log_message(self, *_):
        """Nothing is printed."""


@contextmanager
def served(folder: Path):
    """The address of a folder while it is served."""
    handler = partial(Silent, directory=folder)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def browser() -> Chrome:
    """Chromium without a window, by the driver that is installed."""
    options = ChromeOptions()
    options.binary_location = which("chromium") or which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
    return Chrome(options, ChromeService(which("chromedriver")))


def pages(folder: Path) -> list[str]:
    """The paths of all pages; the theme keeps templates of its own under _static."""
    paths = [path.relative_to(folder) for path in folder.rglob("*.html")]
    return sorted(str(path) for path in paths if path.parts[0] != "_static")


def looked_at(chrome: Chrome, site: str, page: str) -> dict:
    """What a page has, and what is wrong with it by itself."""
    chrome.get(site + page)
    found = chrome.execute_script(LOOK)
    found["wrong"] = [f"picture {address} is not there" for address in found["broken"]]
    found["wrong"] += [f"{name} is fetched" for name in found["fetched"] if site not in name]
    found["wrong"] += [entry["message"] for entry in chrome.get_log("browser")]
    return found


def dead_links(site: str, folder: Path, looks: dict[str, dict]) -> list[str]:
    """Links within the site that lead nowhere, each with its page."""
    dead = []
    for page, found in looks.items():
        for link in {link for link in found["links"] if link.startswith(site)}:
            address, fragment = urldefrag(link)
            path = urlsplit(address).path.lstrip("/") or "index.html"
            known = looks.get(path, {"ids": []})["ids"]
            if not (folder / path).exists() or (
                fragment and ":~:" not in fragment and path in looks and fragment not in known
            ):
                dead.append(f"{page}: {link.removeprefix(site)} leads nowhere")
    return dead


def lost(chrome: Chrome, site: str, words: str, page: str) -> list[str]:
    """What a search for words does not find: the page that a reader wants, or nothing."""
    chrome.get(f"{site}search.html?q={words}")
    found = f"return !!document.querySelector(`#search-results a[href*='{page}']`)"
    try:
        WebDriverWait(chrome, SECONDS).until(lambda driver: driver.execute_script(found))
    except TimeoutException:
        return [f"a search for {words!r} does not find {page}"]
    return []


def photographed(chrome: Chrome, site: str, folder: Path) -> list[str]:
    """Screenshots of some pages at each width; what is wider than the screen in them."""
    folder.mkdir(parents=True, exist_ok=True)
    wide = []
    for page in sorted(SEEN):
        for width in WIDTHS:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            chrome.get(site + page)
            chrome.save_screenshot(str(folder / f"{Path(page).stem}_{width}.png"))
            found = chrome.execute_script(LOOK)["wide"]
            wide += [f"{page}, {width} pixels wide: cut off is {what}" for what in found]
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    return wide


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/_build/html"))
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    folder, chrome = arguments.folder.resolve(), browser()
    try:
        with served(folder) as site:
            looks = {page: looked_at(chrome, site, page) for page in pages(folder)}
            wrong = [f"{page}: {words}" for page, one in looks.items() for words in one["wrong"]]
            wrong += dead_links(site, folder, looks)
            wrong += lost(chrome, site, "likelihood", "guide/likelihoods.html")
            if arguments.pictures:
                wrong += photographed(chrome, site, arguments.pictures)
    finally:
        chrome.quit()
    n_links = sum(len(one["links"]) for one in looks.values())
    print(f"{len(looks)} pages, {n_links} links, and a search")
    print("\n".join(wrong) or "nothing is wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
