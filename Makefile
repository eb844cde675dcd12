# make demo    generate the example jet tagger for a board and simulate it in Verilator: cycles, and equal to what is expected
# make test    everything that is tested
# make lint    formatting and clippy, warnings as errors
# make train   train the example networks again
# make onnx-nodes  every operator case of the onnx package through the program
#
# All of them install what they need into .tools/ (scripts/setup-tools.sh); Debian packages only where one is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: build demo test lint train onnx-nodes tools-demo tools-test tools-train tools-lint

CARGO ?= cargo
DEMO_BOARD ?= pynq-z2
DEMO_DIR ?= target/demo

# How the Rust side finds the tools; a value from outside wins.
export NETFOLD_VERILATOR ?= $(CURDIR)/.tools/verilator
export NETFOLD_PYTHON ?= $(CURDIR)/.tools/venv/bin/python
export NETFOLD_HLS_INCLUDE ?= $(CURDIR)/.tools/ap_types
export NETFOLD_CACHE ?= $(CURDIR)/target/netfold-cache
export NETFOLD_ONNX_CASES := $(CURDIR)/target/onnx-cases

build:
	$(CARGO) build --release

tools-demo tools-test tools-train tools-lint: tools-%:
	@scripts/setup-tools.sh $*

demo: tools-demo
	$(CARGO) build --release -p netfold
	target/release/netfold gen --board $(DEMO_BOARD) -o "$(DEMO_DIR)" --force
	target/release/netfold sim "$(DEMO_DIR)" --engine verilator --input examples/jet_tagger/input.npy --expect examples/jet_tagger/output.npy --tolerance 0.01

# The operator cases of the onnx package as files, written anew where the script or the packages' versions changed.
$(NETFOLD_ONNX_CASES)/.made: frontend/tests/export_onnx_cases.py scripts/requirements/test.txt | tools-test
	rm -rf "$(NETFOLD_ONNX_CASES)"
	"$(NETFOLD_PYTHON)" frontend/tests/export_onnx_cases.py "$(NETFOLD_ONNX_CASES)"
	touch "$(NETFOLD_ONNX_CASES)/.made"

test: tools-test $(NETFOLD_ONNX_CASES)/.made
	$(CARGO) test --workspace
	$(CARGO) build -p netfold
	"$(NETFOLD_PYTHON)" scripts/cross_check.py target/debug/netfold

lint: tools-lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

# Every operator case of the onnx package through the program, in 24-bit numbers: some minutes.
onnx-nodes: tools-test $(NETFOLD_ONNX_CASES)/.made
	$(CARGO) build -p netfold
	"$(NETFOLD_PYTHON)" testcases/onnx_nodes.py target/debug/netfold "$(NETFOLD_ONNX_CASES)"

train: tools-train
	"$(NETFOLD_PYTHON)" examples/train/train.py
