"""The watch over pages, which every other test here relies on, notices what no page may do."""

import pytest

from tests.browser.conftest import Watch

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("browser")]


def test_what_goes_wrong_on_a_page_fails_its_test(chromium):
    page, watch = chromium.new_page(), Watch()
    watch.over(page)
    page.set_content("""
        <img src="http://elsewhere.invalid/picture.png">
        <script>console.error("told")</script>
        <script>nothing.there()</script>
    """)
    page.close()
    assert [wrong.partition(":")[0] for wrong in sorted(watch.wrongs)] == [
        "another machine is asked",
        "console",
        "uncaught",
    ]
