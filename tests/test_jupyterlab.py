"""Notebook 00 runs to its end in JupyterLab, in a browser, as a reader runs it."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from tiny_project import ROOT

NAME = "00_quickstart.ipynb"
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"


@pytest.fixture
def notebook(tiny, tmp_path):
    """A copy without outputs, for the tiny study."""
    book = nbformat.read(ROOT / "notebooks" / NAME, as_version=4)
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        cell.update(outputs=[], execution_count=None)
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f'study = "fashion-vgg"\noverrides = {tiny}'
    path = tmp_path / "lab" / NAME
    path.parent.mkdir()
    nbformat.write(book, path)
    return path


@pytest.fixture
def lab(notebook, tmp_path):
    """The address of a JupyterLab on the folder of that copy, with no settings of anybody's."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"http://localhost:{free.getsockname()[1]}"
    folders = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    folders |= {name: str(tmp_path / name) for name in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    options = [f"--port={address.rsplit(':')[-1]}", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    options += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command = [sys.executable, "-m", "jupyterlab", *options, notebook.parent]
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | folders, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                urlopen(f"{address}/api", timeout=5).close()
                break
            except URLError:
                assert server.poll() is None, (tmp_path / "lab.log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait()


def run_all_cells(screen):
    """Until a cell waits or has run: a click on a menu that the page is still making is lost."""
    from playwright.sync_api import TimeoutError

    for _ in range(10):
        screen.keyboard.press("Escape")  # closes a menu that is still open
        with suppress(TimeoutError):
            screen.click(".lm-MenuBar-itemLabel:text-is('Run')")
            screen.click(".lm-Menu-itemLabel:text-is('Run All Cells')", timeout=10_000)
            screen.wait_for_selector(".jp-InputArea-prompt:text-matches('\\\\[[*0-9]')", timeout=10_000)
            return
    pytest.fail("JupyterLab does not run the notebook")


def test_a_notebook_runs_to_its_end(browser, lab, notebook):
    screen = browser.new_page()
    screen.set_default_timeout(120_000)
    screen.goto(f"{lab}/lab/tree/{NAME}")
    screen.wait_for_selector(IDLE)
    run_all_cells(screen)
    for _ in range(300):
        screen.wait_for_selector(IDLE, timeout=300_000)  # a save while another one is on its way may be refused
        screen.keyboard.press("Control+s")
        screen.wait_for_timeout(1000)
        cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
        failed = [out.evalue for cell in cells for out in cell.outputs if out.output_type == "error"]
        if failed or all(cell.execution_count for cell in cells):
            break
    screen.close()
    assert not failed
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any("image/png" in out.get("data", {}) for cell in cells for out in cell.outputs)
