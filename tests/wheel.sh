# Builds the wheel, installs it alone in a fresh environment, and looks there, away from the checkout, at what differs
# from an editable install: whether all files travel in it, whether its command runs, and what is said where an extra is
# missing. Tests of extras that are not installed skip and say so.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage() { "$BIN/python" deploy/stage.py "$@"; }
stage "build the wheel" "$BIN/python" -m build --wheel --outdir "$work/dist" .
"$BIN/python" tests/travelling.py "$work"/dist/*.whl
stage "make an environment" "$BIN/python" -m venv "$work/venv"
stage "install the wheel alone" "$work/venv/bin/python" -m pip --disable-pip-version-check install \
    "$work"/dist/*.whl pytest pytest-timeout pytest-xdist hypothesis
mkdir "$work/away"
cp -r tests eval README.md pyproject.toml "$work/away"
cd "$work/away"
../venv/bin/python -c 'import selfroute; assert "site-packages" in selfroute.__file__, selfroute.__file__'
SELFROUTE_HOME="$work/home" BIN=../venv/bin sh eval/samples/demo.sh
../venv/bin/python -m pytest -q -p no:cacheprovider --numprocesses "$WORKERS" --dist worksteal -m "not slow" \
    tests/test_installed.py tests/test_weights.py tests/test_settings.py tests/test_prices.py tests/test_tokens.py \
    tests/test_public_api.py tests/test_build.py tests/test_doctor.py tests/test_cli.py tests/test_cli_eval.py \
    tests/test_cli_calibrate.py tests/test_report.py tests/test_server_site.py tests/test_server_reference.py \
    tests/test_datasets_files.py tests/test_datasets_hub.py tests/test_metrics_chinese.py tests/test_sentence.py \
    tests/test_endpoints_vllm.py tests/test_integrations_mcp.py
