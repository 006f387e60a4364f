"""The page in a real browser."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fixtures import REQUIRED

HERE = Path(__file__).parent


@pytest.mark.skipif("browser" not in REQUIRED, reason="LAMBDA_TEST_REQUIRE does not list browser")
@pytest.mark.skipif("docker" not in REQUIRED, reason="LAMBDA_TEST_REQUIRE does not list docker")
def test_a_visitor_deploys_executes_and_sees_the_metrics(data_dir: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlit", "run", str(HERE / "app.py")]
    command += [f"--server.port={free_port()}", "--server.address=127.0.0.1", "--server.headless=true"]
    command += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    environment = {
        **os.environ,
        "LAMBDA_DATA_DIR": data_dir,
        "LAMBDA_RUNTIMES": "docker",
        "METRICS_TOKEN": "right",
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            url = address(server)
            drive = subprocess.run(
                ["node", str(HERE / "drive.cjs"), url, str(tmp_path / "page.png")],
                capture_output=True,
                text=True,
                timeout=150,
            )
            assert drive.returncode == 0, drive.stderr
            assert (tmp_path / "page.png").stat().st_size > 10_000
        finally:
            server.terminate()
            assert server.stdout is not None
            server.stdout.read()


def address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        at = line.find("http://")
        if at >= 0 and urlsplit(line[at:].strip()).port:
            return line[at:].strip()
    raise AssertionError(f"Streamlit ended: {said}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
