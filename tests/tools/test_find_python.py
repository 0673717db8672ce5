"""The script that chooses the Python for .venv, against folders of stand-ins on PATH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "find-python.sh"
BROKEN = "#!/bin/sh\necho 'version manager: command not found' >&2\nexit 127\n"
OLD = "#!/bin/sh\nexit 1\n"
WORKS = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
NO_VENV = f"""#!/bin/sh
case "$2" in *ensurepip*) exit 1 ;; esac
exec "{sys.executable}" "$@"
"""


def found(
    tmp_path: Path, stand_ins: dict[str, str], python: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the script with PATH made of the folders named in `stand_ins` ("folder/command")."""
    for name, text in stand_ins.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)
    folders = [str(tmp_path / name.split("/")[0]) for name in stand_ins]
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "tr").symlink_to("/usr/bin/tr")
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={"PATH": ":".join([*folders, str(tmp_path / "system")]), "PYTHON": python},
        capture_output=True,
        text=True,
    )


def test_a_listed_command_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    run = found(
        tmp_path, {"shims/python3.11": BROKEN, "shims/python3": BROKEN, "usr/python3": WORKS}
    )
    assert run.stdout.strip() == str(tmp_path / "usr" / "python3")


def test_the_same_name_further_down_the_path_is_tried(tmp_path: Path) -> None:
    run = found(tmp_path, {"shims/python3.11": BROKEN, "usr/python3.11": WORKS})
    assert run.stdout.strip() == str(tmp_path / "usr" / "python3.11")


def test_a_missing_venv_package_is_named_with_its_command(tmp_path: Path) -> None:
    run = found(tmp_path, {"usr/python3": NO_VENV})
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert run.returncode == 1
    assert f"sudo apt install {package}" in run.stderr


def test_a_whole_python_is_preferred_to_one_without_venv(tmp_path: Path) -> None:
    run = found(tmp_path, {"usr/python3.11": NO_VENV, "local/python3": WORKS})
    assert run.stdout.strip() == str(tmp_path / "local" / "python3")


def test_an_old_python_alone_is_not_enough(tmp_path: Path) -> None:
    run = found(tmp_path, {"usr/python3": OLD})
    assert (run.returncode, run.stdout) == (1, "")
    assert "no Python 3.11 or newer" in run.stderr


def test_the_one_asked_for_wins_and_is_the_only_one_tried(tmp_path: Path) -> None:
    run = found(
        tmp_path, {"usr/python3.11": WORKS, "own/python3": WORKS}, f"{tmp_path}/own/python3"
    )
    assert run.stdout.strip() == str(tmp_path / "own" / "python3")


def test_the_one_asked_for_is_reported_where_it_is_no_use(tmp_path: Path) -> None:
    run = found(tmp_path, {"usr/python3.11": WORKS}, "/nowhere/python3")
    assert run.returncode == 1
    assert "PYTHON=/nowhere/python3" in run.stderr
