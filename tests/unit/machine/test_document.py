from tests.tools.machine_doc import PAGE, render


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == render(), "render it: python -m tests.tools.machine_doc"
