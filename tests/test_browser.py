"""The pages in a real browser: they load alone, fit a telephone and a desk, sort, filter, and obey keys.

Skipped, with the reason, where no Chromium is.
"""

import re
from itertools import product
from typing import NamedTuple

import pytest
import synthetic
from browser import EXECUTABLE, Browser
from test_comparison import timed

from ebmbench.harness import comparison
from ebmbench.report import write
from ebmbench.report.comparison import page as pages

pytestmark = pytest.mark.skipif(
    EXECUTABLE is None, reason="no Chromium or Chrome is on the path, and the pages are tested in one"
)
WINDOWS = {"telephone": (390, 844), "desk": (1400, 900)}

# What reaches out of the window, but for what lies in a box that scrolls, and text that its box cuts off.
OUTSIDE = """
    const found = [];
    for (const one of document.body.querySelectorAll("*")) {
      if (one.closest("svg") && one.tagName !== "svg") continue;
      const box = one.getBoundingClientRect();
      const scrolls = one.parentElement.closest(".scroll");
      if (!scrolls && box.width && (box.right > innerWidth + 0.5 || box.left < -0.5)) {
        found.push(`${one.tagName} ${one.className} leaves the window: ${one.textContent.slice(0, 50)}`);
      }
      const cut = one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0;
      if (cut && !one.matches(".scroll, svg") && getComputedStyle(one).display !== "inline") {
        found.push(`${one.tagName} ${one.className} is too narrow: ${one.textContent.slice(0, 50)}`);
      }
    }
    return found;
"""
PART = "document.querySelector('#task-gradient, #gradient').closest('section')"  # about gradients


def column(browser, name, what="innerText"):
    """The texts of a column of the table about gradients, of the rows that are shown."""
    return browser.run(f"""
        const table = {PART}.querySelector("table");
        const headers = [...table.tHead.rows[0].cells];
        const place = headers.findIndex((cell) => cell.textContent.startsWith("{name}"));
        const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
        return rows.map((row) => row.cells[place].{what});
    """)


def values(browser, name):
    """The numbers that a column is sorted by, NaN as None."""
    found = [float(value) for value in column(browser, name, "dataset.value")]
    return [None if value != value else value for value in found]


def press(browser, name):
    """Press a header of that table."""
    browser.run(f"""
        const buttons = [...{PART}.querySelectorAll("th button")];
        buttons.find((one) => one.textContent.startsWith("{name}")).click();
        return null;
    """)


class View(NamedTuple):
    browser: Browser
    width: int
    dark: bool


@pytest.fixture(scope="module")
def browser():
    with Browser() as found:
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A report of every task, with long names, and a comparison of two folders."""
    folder = tmp_path_factory.mktemp("pages")
    rows = timed(synthetic.everything())
    name = "a_data_set_whose_name_is_longer_than_a_telephone_is_wide_and_has_no_space.npz"
    rows += [row | {"dataset": name, "key": f"long{row['key']}"} for row in timed(synthetic.trained())]
    rows[-1] |= {"status": "failed", "reason": "A reason of one long word: " + 120 * "x"}
    slower = [row for row in timed(rows, 1.3) if row["key"] != "gradient2"]
    a, b = synthetic.fill(folder / "a", rows), synthetic.fill(folder / "b", slower)
    found = comparison.compare(a, b)
    pages.write(folder / "comparison.html", found.frame(), found.tables, (a, b), found.threshold)
    return {"report": write(a), "comparison": folder / "comparison.html"}


@pytest.fixture(params=["report", "comparison"])
def page(request, made):
    return made[request.param]


@pytest.fixture(
    scope="module",
    params=product(["report", "comparison"], WINDOWS, ["light", "dark"]), ids="-".join,
)  # fmt: skip
def view(request, browser, made):
    """The browser with a page in one of the windows."""
    name, window, scheme = request.param
    browser.open(made[name], *WINDOWS[window], scheme == "dark")
    return View(browser, WINDOWS[window][0], scheme == "dark")


class TestEverywhere:
    def test_it_loads_alone_and_without_errors(self, view):
        assert view.browser.errors == []
        assert view.browser.requests == []
        assert view.browser.value("document.querySelectorAll('th button').length") > 10

    def test_nothing_leaves_the_window_or_is_cut_off(self, view):
        assert view.browser.value("document.documentElement.scrollWidth") == view.width
        assert view.browser.run(OUTSIDE) == []

    def test_text_stands_out(self, view):
        """At 4.5 to 1 at the least, as the Web Content Accessibility Guidelines ask of small text."""
        found = view.browser.run("""
            const level = (colour) => {
              const part = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
              const [r, g, b] = colour.match(/[\\d.]+/g).map((value) => part(value / 255));
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ground = (one) => {
              const colour = one ? getComputedStyle(one).backgroundColor : "rgb(255, 255, 255)";
              return colour === "rgba(0, 0, 0, 0)" ? ground(one.parentElement) : colour;
            };
            const worst = {};
            const texts = "h1, h2, p, li, td, th button, caption, a, .range, label";
            for (const one of document.querySelectorAll(texts)) {
              const levels = [level(getComputedStyle(one).color), level(ground(one))];
              const contrast = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
              if (contrast < 4.5) worst[`${one.tagName}.${one.className}`] = contrast;
            }
            return [worst, level(ground(document.body)) > 0.5];
        """)
        assert found == [{}, not view.dark]


class TestMistakesAreSeen:
    """The checks above see what they are there for."""

    def test_what_is_too_wide(self, browser, made):
        browser.open(made["report"], 390)
        browser.run("""
            const wide = document.createElement("p");
            wide.style.overflowWrap = "normal";
            wide.textContent = "x".repeat(200);
            document.querySelector("main").append(wide);
            return null;
        """)
        assert any("is too narrow: xxx" in one for one in browser.run(OUTSIDE))

    def test_requests_and_errors(self, browser, tmp_path):
        page = tmp_path / "bad.html"
        page.write_text("<img src='https://example.invalid/x.png'><script>throw Error('no')</script>")
        browser.open(page)
        assert browser.requests == ["https://example.invalid/x.png"]
        assert any("no" in str(one) for one in browser.errors)


class TestTables:
    def test_a_header_sorts_up_and_then_down(self, browser, made):
        browser.open(made["report"])
        before = values(browser, "Bias")
        press(browser, "Bias")
        up = values(browser, "Bias")
        press(browser, "Bias")
        down = values(browser, "Bias")
        assert before not in (up, down)
        assert up == sorted(before)
        assert down == sorted(before, reverse=True)
        assert len(before) == len(up) > 5
        sorts = browser.value(
            "[...document.querySelectorAll('th[aria-sort]')].map((one) => one.ariaSort)"
        )
        assert sorts == ["descending"]

    def test_what_is_not_known_goes_last(self, browser, made):
        browser.open(made["comparison"])
        for _ in range(2):
            press(browser, "A gradient")
            found = values(browser, "A gradient")
            known = [value for value in found if value is not None]
            assert found == known + [None] * 2  # one that B lacks, and one that never ran

    def test_words_sort_as_words(self, browser, made):
        browser.open(made["comparison"])
        press(browser, "Case")
        found = column(browser, "Case")
        assert found == sorted(found, key=lambda text: [
            int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", text)
        ])  # fmt: skip
        assert found.index("CD-10") < found.index("CD-100")

    def test_a_field_keeps_the_rows_with_its_words(self, browser, made):
        browser.open(made["report"])
        every = column(browser, "Estimator")
        browser.value(f"{PART}.querySelector('input').focus()")
        browser.write("cd 0.5")
        found = column(browser, "Estimator")
        assert set(found) == {"CD-1", "CD-10", "CD-100"}
        told = f"{PART}.querySelector('output').textContent"
        assert browser.value(told) == f"{len(found)} of {len(every)} rows"
        press(browser, "Estimator")  # what is hidden stays hidden
        assert sorted(column(browser, "Estimator")) == sorted(found)
        browser.press("Escape")
        assert sorted(column(browser, "Estimator")) == sorted(every)
        assert browser.value(told) == ""
        browser.write("no row has this")
        assert column(browser, "Estimator") == []

    def test_all_tables_sort_and_the_long_ones_filter(self, browser, page):
        browser.open(page)
        found = browser.value("""[...document.querySelectorAll("table")].map((table) => [
            table.tBodies[0].rows.length, table.tHead.rows[0].cells.length,
            table.querySelectorAll("th button").length,
            table.closest(".scroll").previousElementSibling?.className === "filter",
        ])""")
        assert found
        for rows, columns, buttons, filters in found:
            assert columns == buttons
            assert filters == (rows >= 6)


class TestKeys:
    def test_a_table_is_sorted_without_a_mouse(self, browser, made):
        browser.open(made["report"])
        browser.value(f"{PART}.querySelector('input').focus()")
        for _ in range(40):  # the field, the box that scrolls, then the headers
            browser.press("Tab")
            if str(browser.value("document.activeElement.textContent")).startswith("Bias"):
                break
        focus = browser.value("getComputedStyle(document.activeElement).outlineStyle")
        assert focus == "solid"
        browser.press("Enter")
        found = values(browser, "Bias")
        assert found == sorted(found)
        assert browser.value("document.activeElement.textContent").startswith("Bias")

    def test_links_lead_to_every_part(self, browser, page):
        browser.open(page, 390, 844)
        targets = browser.value("[...document.querySelectorAll('nav a')].map((one) => one.hash)")
        headings = browser.value("[...document.querySelectorAll('main h2')].map((one) => `#${one.id}`)")
        assert targets == headings
        browser.press("Tab")
        browser.press("Enter")
        assert browser.value("location.hash") == targets[0]

    def test_each_field_and_box_has_a_name(self, browser, page):
        browser.open(page)
        assert (
            browser.value("""
            [...document.querySelectorAll("input, .scroll, [role=img], nav")].filter((one) => {
              const by = one.getAttribute("aria-labelledby");
              return !(one.ariaLabel || (by && document.getElementById(by)));
            }).length
        """)
            == 0
        )
