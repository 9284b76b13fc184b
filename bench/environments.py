"""A virtual environment for each peer: what they need contradicts, of each other and of streamgauge."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / ".peers"
NEEDS = {
    "evidently": ("evidently==0.7.23", "pandas<3", "pyarrow"),  # breaks with pandas 3
    # Logging rows breaks with numpy 2, and newer versions of pyarrow ask for that.
    "whylogs": ("whylogs[viz]==1.6.4", "numpy<2", "pandas<3", "pyarrow<22"),
    "nannyml": ("nannyml==0.13.1", "statsmodels", "pyarrow"),  # needs statsmodels and does not say so
}


def python_of(peer: str) -> Path:
    """The Python of a peer's environment, which may not be there."""
    return FOLDER / peer / "bin" / "python"


def reason_file(peer: str) -> Path:
    """Why the peer did not install; no file when it did."""
    return FOLDER / f"{peer}.failed"


def prepare() -> None:
    """Make every environment that is not there yet, and keep the reason for each that cannot be made."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    for peer, needs in NEEDS.items():
        done = FOLDER / f"{peer}.ready"
        wanted = " ".join((*needs, "msgspec"))
        if done.exists() and done.read_text() == wanted:
            continue
        print(f"{peer}: {wanted}", flush=True)
        error = _install(peer, wanted.split())
        reason_file(peer).unlink(missing_ok=True)
        if error:
            reason_file(peer).write_text(error)
        else:
            done.write_text(wanted)


def _install(peer: str, needs: list[str]) -> str:
    """Install, and hand back why it failed, "" when it did not."""
    venv = [sys.executable, "-m", "venv", "--clear", str(FOLDER / peer)]
    pip = [str(python_of(peer)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs]
    for command in (venv, pip):
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            lines = (ran.stderr or ran.stdout).strip().splitlines()
            return next(
                (line for line in lines if "ERROR" in line), lines[-1] if lines else "no reason given"
            )
    return ""
