"""What tests/test_browser.py asks of pages finds the faults, and agrees with axe about contrast."""

from __future__ import annotations

import pytest
from headless import chromium, started

from .browser import DESK, SETTLED, load_checks, visit, watch

GOOD = "<h1>Title</h1><p id='a'>Some words. <a href='#a'>A link</a>.</p>"
PAGE = """<!doctype html><html lang="en" data-theme="light"><head><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><script>
const theme = () => document.documentElement.dataset.theme =
  matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
theme();
</script></head><body style="background: white; color: black"><main>{}</main></body></html>"""


@pytest.fixture(scope="module")
def context():
    if chromium() is None:
        pytest.skip("needs a browser: chromium is not installed")
    with started() as browser, browser.new_context(viewport=DESK) as made:
        yield made


def findings(context, folder, body: str) -> dict[str, object]:
    """Return what is found on a page, without what is not there."""
    (folder / "page.html").write_text(PAGE.format(body), encoding="utf-8")
    found = vars(visit(context, folder.as_uri(), "page.html"))
    left = {name: what for name, what in found.items() if what and name not in ("links", "anchors")}
    if not any(found["low_contrast"].values()):
        del left["low_contrast"]
    return left


def test_a_good_page_is_not_blamed(context, tmp_path):
    assert findings(context, tmp_path, GOOD) == {}


GREY = "<p style='color: #888; background: #999'>Grey on grey</p>"
FAULTS = {
    "an error of a script": ("<script>throw new Error('oh')</script>", {"errors"}),
    "a missing picture": ("<img src='no.png' alt='x' width='9'>", {"errors", "bad_figures"}),
    "another host": ("<img src='https://x.example/a.png' alt='x'>", {"elsewhere"}),
    "raw mathematics": ("<p>Let $x_i$ be</p>", {"raw_math"}),
    "unset mathematics": ("<span class='math'>x</span>", {"unrendered_math"}),
    "a silent figure": (f"<img src='{'data:image/svg+xml,'}' alt=''>", {"bad_figures"}),
    "a button without a name": ("<button></button>", {"axe"}),
    "grey on grey": (GREY, {"low_contrast"}),
    "a wide page": ("<div style='width: 900px'>wide</div>", {"sideways"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found(context, tmp_path, fault):
    body, expected = FAULTS[fault]
    assert expected <= set(findings(context, tmp_path, GOOD + body))


# axe needs minutes for the contrast of a chapter, so ours is asked of every page and axe of two.
AXE_CONTRAST = """async () => {
  const options = { runOnly: ["color-contrast"], preload: false, resultTypes: ["violations"] };
  const { violations } = await axe.run({ exclude: ["mjx-container"] }, options);
  return violations.flatMap((violation) => violation.nodes.map((node) => node.html));
}"""


def axe_contrast(context, home: str, name: str, theme: str) -> list[str]:
    seen = watch(context, home)
    page = seen.go(name)
    load_checks(page)
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.wait_for_function("t => document.documentElement.dataset.theme === t", arg=theme)
    page.evaluate(SETTLED)
    found = page.evaluate(AXE_CONTRAST)
    page.close()
    return list(found)


def test_axe_finds_low_contrast_too(context, tmp_path):
    (tmp_path / "page.html").write_text(PAGE.format(GOOD + GREY), encoding="utf-8")
    assert axe_contrast(context, tmp_path.as_uri(), "page.html", "light") == [
        GREY.replace("'", '"')
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["book/index.html", "book/api/clusters.html"])
def test_axe_agrees_about_the_contrast_of_pages(context, html, name, theme):
    context.set_default_timeout(60_000)
    assert not axe_contrast(context, html.as_uri(), name, theme)
