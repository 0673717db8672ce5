#!/bin/sh
# Prints the path of a Python 3.11 or newer that can make virtual environments, else says what is missing.
# Every match on PATH is tried: a version manager lists commands that don't run.
set -u

usable='import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)'
whole='import ensurepip, venv'

matches() {
    case $1 in
        */*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$PATH" | tr ':' '\n' | while read -r folder; do
               [ -x "$folder/$1" ] && [ ! -d "$folder/$1" ] && printf '%s\n' "$folder/$1"
           done ;;
    esac
}

without_venv=''
for name in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}; do
    for python in $(matches "$name"); do
        "$python" -c "$usable" >/dev/null 2>&1 || continue
        if "$python" -c "$whole" >/dev/null 2>&1; then
            printf '%s\n' "$python"
            exit 0
        fi
        without_venv=${without_venv:-$python}
    done
done

if [ -n "$without_venv" ]; then
    package=$("$without_venv" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    echo "loom: $without_venv can't make virtual environments: the package $package is missing." >&2
    echo "      Install it (on Debian and Ubuntu: sudo apt install $package) and run make again." >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "loom: PYTHON=$PYTHON is no Python 3.11 or newer that runs." >&2
    echo "      Name another one, or leave PYTHON= out to have one looked for." >&2
else
    echo "loom: no Python 3.11 or newer was found." >&2
    echo "      Install one, or say where it is: make PYTHON=/path/to/python3" >&2
fi
exit 1
