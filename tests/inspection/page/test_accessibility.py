"""The page under axe-core, which `.ci/run` fetches: AXE is the path of its axe.min.js."""

import os

import pytest

from .models import html_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("AXE" not in os.environ, reason="AXE does not say where axe-core is"),
]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["log price", "digits", "multilabel"])
def test_axe_finds_nothing_serious(pages, name, scheme, width):
    # axe is a script of its own, which the page's policy would refuse.
    page = pages.open(html_of(name), width=width, color_scheme=scheme, bypass_csp=True)
    page.add_script_tag(path=os.environ["AXE"])
    if page.locator("#more-weights").is_visible():
        page.locator("#more-weights").click()
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        (violation["id"], violation["impact"], [node["html"] for node in violation["nodes"]][:3])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert grave == []
    assert len(found["passes"]) > 20
