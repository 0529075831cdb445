# Builds the wheel, installs it alone in a fresh environment and passes the tests there, away from the checkout:
# data files and weights must travel in it. Tests of extras that are not installed skip and say so.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$BIN/python" -m build --wheel --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$BIN/python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check --quiet install "$work"/dist/*.whl pytest pytest-timeout hypothesis
mkdir "$work/away"
cp -r tests eval README.md pyproject.toml "$work/away"
cd "$work/away"
../venv/bin/python -c 'import selfroute; assert "site-packages" in selfroute.__file__, selfroute.__file__'
../venv/bin/python -m pytest -q -p no:cacheprovider
