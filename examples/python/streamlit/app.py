"""The page that this project began with, on the embedded platform: deploy functions, execute them
in Docker or gVisor, and see the metrics, which only holders of a token are shown.

    METRICS_TOKEN=... streamlit run app.py
"""

import os
import secrets
import shlex

import streamlit as st

import lambdabox

RUNTIMES = os.environ.get("LAMBDA_RUNTIMES", "docker,gvisor").split(",")
# Without a token nobody sees metrics; there is no default one.
TOKEN = os.environ.get("METRICS_TOKEN", "")


@st.cache_resource
def open_platform() -> lambdabox.Platform:
    """One platform for all visitors; it is closed when the program ends."""
    data_dir = os.environ.get("LAMBDA_DATA_DIR", os.path.expanduser("~/.local/share/lambda-page"))
    return lambdabox.Platform(data_dir, runtimes=RUNTIMES).__enter__()


def deploy(platform: lambdabox.Platform) -> None:
    with st.form("deploy"):
        name = st.text_input("Name", key="name")
        language = st.selectbox("Language", ["python", "javascript"], key="language")
        code = st.text_area("Code", key="code", height=200)
        timeout_ms = st.number_input("Timeout in ms", 1, 900_000, 3_000, key="timeout_ms")
        if st.form_submit_button("Deploy"):
            try:
                function = platform.deploy(
                    name, code, language=language, runtime=RUNTIMES[0], timeout_ms=int(timeout_ms)
                )
                st.success(f"{function.name} is at version {function.version}.")
            except lambdabox.Error as error:
                st.error(str(error))


def execute(platform: lambdabox.Platform) -> None:
    functions = platform.function_list()
    if not functions.items:
        st.info("There are no functions yet: deploy one.")
        return
    with st.form("execute"):
        name = st.selectbox("Function", [function.name for function in functions], key="function")
        args = st.text_input("Args, as in a shell", key="args")
        runtime = st.radio("Sandbox", RUNTIMES, key="runtime", horizontal=True)
        if st.form_submit_button("Execute"):
            try:
                outcome = platform.execute(name, shlex.split(args), runtime=runtime)
            except (lambdabox.Error, ValueError) as error:
                st.error(str(error))
                return
            st.caption(f"{outcome.status}, {outcome.timings.total_ms:.1f} ms, {outcome.start} start")
            if outcome.is_success:
                st.code(str(outcome.output))
            elif outcome.error:
                st.error(f"{outcome.error.message}\n\n{outcome.stderr}")


def metrics(platform: lambdabox.Platform) -> None:
    token = st.text_input("Token", type="password", key="token")
    if not token:
        return
    if not TOKEN or not secrets.compare_digest(token.encode(), TOKEN.encode()):
        st.error("This token does not open the metrics.")
        return
    summary = platform.invocation_summary(bucket="minute")
    calls, errors, median = st.columns(3)
    calls.metric("Calls", summary.totals.calls)
    errors.metric("Errors", summary.totals.errors)
    median.metric("Median", f"{summary.totals.p50_ms:.1f} ms")
    st.bar_chart({f.name: f.summary.calls for f in summary.functions}, y_label="calls")
    points = [p for p in summary.series if p.summary.calls]
    st.line_chart(
        {"minute": [p.start for p in points], "ms": [p.summary.avg_ms for p in points]},
        x="minute",
        y="ms",
    )
    st.dataframe(
        [
            {"at": r.started_at, "function": r.function_name, "status": r.status, "ms": r.total_us / 1e3}
            for r in platform.invocation_list(limit=100)
        ]
    )


st.title("Lambda")
shared = open_platform()
for tab, show in zip(st.tabs(["Deploy", "Execute", "Metrics"]), [deploy, execute, metrics]):
    with tab:
        show(shared)
