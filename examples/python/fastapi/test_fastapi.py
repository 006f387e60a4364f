import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*httpx.*")


def test_customers_save_and_run_hooks(
    data_dir: str, container_runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    monkeypatch.setenv("SHOP_DATA_DIR", data_dir)
    monkeypatch.setenv("SHOP_RUNTIME", container_runtime)
    spec = importlib.util.spec_from_file_location("shop", Path(__file__).with_name("app.py"))
    assert spec and spec.loader
    shop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shop)
    with TestClient(shop.app) as client:
        order = {"item": "tea", "price": 10}
        assert client.post("/customers/ann/orders", json=order).json() == {
            "order": order,
            "warning": None,
        }
        hook = "def on_order(order, context):\n    return {**order, 'price': order['price'] * 0.9}"
        assert client.put("/customers/ann/hook", json=hook).json() == {"version": 1}
        assert client.post("/customers/ann/orders", json=order).json()["order"]["price"] == 9
        endless = "def on_order(order, context):\n    while True: pass"
        assert client.put("/customers/ann/hook", json=endless).json() == {"version": 2}
        answer = client.post("/customers/ann/orders", json=order).json()
        assert answer["order"] == order and "Timedout" in answer["warning"]
        assert client.get("/customers/bob/hook/runs").status_code == 404
