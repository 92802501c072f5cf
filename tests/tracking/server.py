"""Servers of MLflow on 127.0.0.1, started here and ended by their own process group."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

# Never by way of a proxy.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(url, data=None, timeout=10):
    """Return (status, body)."""
    headers = {"Content-Type": "application/json"}
    try:
        with _direct.open(urllib.request.Request(url, data, headers), timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def running(command, folder, health):
    """Run ``mlflow <command>`` on a free port while inside; yield its process and address."""
    port = free_port()
    log = Path(folder) / f"{command[0]}-{port}.log"
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # `mlflow models serve` starts programs by name.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, f"{address}{health}", log)
        yield process, address
    finally:
        end(process)


def _wait(process, url, log, seconds=180):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if request(url, timeout=5)[0] == 200:
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"no answer from {url}:\n{log.read_text()[-3000:]}")


def end(process):
    """End a server and the workers that it started."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def tracking_server(folder, store_uri):
    """Run ``mlflow server`` on a sqlite store."""
    command = ["server", "--workers", "1", "--backend-store-uri", store_uri]
    return running([*command, "--artifacts-destination", str(folder)], folder, "/health")


def model_server(model, folder):
    """Run ``mlflow models serve`` with the packages that are there."""
    command = ["models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    return running(command, folder, "/ping")
