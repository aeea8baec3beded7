"""The Kubernetes client comes without its generated models, and without a trace."""

import subprocess
import sys

SCRIPT = """
import sys
asked = []
sys.addaudithook(lambda event, about: asked.append(about[0]) if event == "import" else None)
import appshield.kubernetes
print([name for name in asked if name.startswith("kubernetes_asyncio.client.")])
print([name for name in sys.modules if name.startswith("kubernetes_asyncio")])
"""


def test_no_generated_model_is_imported_and_nobody_else_gets_a_package_without_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    asked, left = done.stdout.splitlines()
    assert "rest" in asked
    assert ".api" not in asked
    assert ".models" not in asked
    assert left == "[]"
