"""What the server keeps out of its process."""

import importlib
import subprocess
import sys

import pytest

from assistant.channels.console.lean import without

LOADED = """
import sys
import assistant.channels.console
print("aiohttp" in sys.modules)
import aiohttp
print(aiohttp.__name__)
"""


def test_a_hidden_package_is_missing_and_then_back():
    sys.modules.pop("antigravity", None)
    with without("antigravity"), pytest.raises(ImportError):
        importlib.import_module("antigravity")
    assert "antigravity" not in sys.modules


def test_what_is_loaded_already_is_left_alone():
    with without("subprocess"):
        import subprocess as again
    assert again is subprocess


def test_the_console_does_without_aiohttp_and_leaves_it_to_others():
    said = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.split() == ["False", "aiohttp"]
