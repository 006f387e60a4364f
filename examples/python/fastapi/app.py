"""A shop whose customers write hooks: each order runs the customer's own code, in a sandbox.

    uvicorn app:app

The shop is an ordinary FastAPI app; what the platform adds is marked by `platform`.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Path, Request
from fastapi.responses import JSONResponse

import lambdabox

ORDERS: list[dict[str, Any]] = []
# Strangers' code: gVisor is the boundary.
RUNTIME = os.environ.get("SHOP_RUNTIME", "gvisor")
Customer = Annotated[str, Path(pattern="^[a-z0-9]{1,30}$")]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # The app's own shutdown drains and removes.
    async with lambdabox.AsyncPlatform(
        os.environ.get("SHOP_DATA_DIR", "/var/lib/shop"), runtimes=[RUNTIME]
    ) as platform:
        app.state.platform = platform
        yield


app = FastAPI(lifespan=lifespan)


def platform_of(request: Request) -> lambdabox.AsyncPlatform:
    platform: lambdabox.AsyncPlatform = request.app.state.platform
    return platform


@app.exception_handler(lambdabox.Throttled)
async def busy(request: Request, error: lambdabox.Throttled) -> JSONResponse:
    wait = str(int(error.retry_after or 1) + 1)
    return JSONResponse({"detail": error.message}, 503, headers={"Retry-After": wait})


@app.put("/customers/{customer}/hook")
async def save_hook(
    request: Request, customer: Customer, code: Annotated[str, Body(max_length=100_000)]
) -> dict[str, Any]:
    """Saves the customer's hook: Python with `def on_order(order, context)`."""
    hook = await platform_of(request).deploy(
        f"hook-{customer}",
        code,
        handler="hook.on_order",
        runtime=RUNTIME,
        timeout_ms=500,
        memory_mib=64,
    )
    return {"version": hook.version}


@app.post("/customers/{customer}/orders")
async def order(request: Request, customer: Customer, order: dict[str, Any]) -> dict[str, Any]:
    """Places an order; the hook may change it. A hook that fails must not lose the order."""
    warning = None
    try:
        order = await platform_of(request).invoke(f"hook-{customer}", order)
    except lambdabox.NotFound:
        pass
    except lambdabox.FunctionError as error:
        warning = f"{error.type}: {error.message}"
    ORDERS.append({"customer": customer, "order": order})
    return {"order": order, "warning": warning}


@app.get("/customers/{customer}/hook/runs")
async def runs(request: Request, customer: Customer) -> list[dict[str, Any]]:
    """How the customer's hook has been doing."""
    try:
        page = await platform_of(request).invocation_list(function=f"hook-{customer}", limit=20)
    except lambdabox.NotFound:
        raise HTTPException(404, "This customer has no hook.") from None
    return [{"at": r.started_at, "status": r.status, "ms": r.total_us / 1000} for r in page]
