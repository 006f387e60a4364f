"""Drives the page as Streamlit runs it, without a browser."""

import time
from pathlib import Path

import lambdabox
import pytest

pytestmark = pytest.mark.filterwarnings("ignore")
APP = str(Path(__file__).with_name("app.py"))


def test_the_original_log(
    data_dir: str, container_runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import streamlit
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("LAMBDA_DATA_DIR", data_dir)
    monkeypatch.setenv("LAMBDA_RUNTIMES", container_runtime)
    monkeypatch.setenv("METRICS_TOKEN", "right")
    try:
        page = AppTest.from_file(APP, default_timeout=60).run()
        assert not page.exception

        deploy(page, "hello", "import sys\nprint(f'Hello, {sys.argv[1]}!')")
        assert page.success[0].value == "hello is at version 1."
        execute(page, "hello", "Alice")
        assert page.code[0].value == "Hello, Alice!"

        deploy(page, "infinite", "while True: pass", timeout_ms=500)
        execute(page, "infinite", "")
        assert "timed out" in page.error[0].value

        page.text_input(key="token").set_value("wrong").run()
        assert "does not open" in page.error[0].value and not page.metric
        page.text_input(key="token").set_value("right").run()
        # Records are in the store within a second.
        deadline = time.monotonic() + 20
        while page.metric[0].value != "2" and time.monotonic() < deadline:
            page.run()
        assert [m.value for m in page.metric][:2] == ["2", "1"]
        assert len(page.get("vega_lite_chart") or page.get("arrow_vega_lite_chart")) == 2
    finally:
        streamlit.cache_resource.clear()
        lambdabox._link._close_all()


def deploy(page, name, code, timeout_ms=3000):
    page.text_input(key="name").set_value(name)
    page.text_area(key="code").set_value(code)
    page.number_input(key="timeout_ms").set_value(timeout_ms)
    click(page, "Deploy")


def execute(page, name, args):
    page.selectbox(key="function").set_value(name)
    page.text_input(key="args").set_value(args)
    click(page, "Execute")


def click(page, label):
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
