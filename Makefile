# Two commands suffice on a fresh machine: `make demo` and `make test`. `make` alone lists all of them.

PREFIX ?= /usr/local
# Folder with fashion-mnist, mnist and so on; tests and benchmarks that want real data say so and skip where it is absent.
HOURGLASS_DATA ?= ../shared/data
override HOURGLASS_DATA := $(shell realpath -m -- '$(HOURGLASS_DATA)')
export HOURGLASS_DATA

# What the demo trains: half a minute on 2 cores. Small batches and half the weight of the KL divergence show sharp images early.
DEMO ?= --epochs 8 --batch-size 64 --learning-rate 0.002 --beta 0.5
# Only the tests whose name matches, in `test` and `sanitize`: make test FILTER=Conv2D
FILTER ?=
# How many altered files `fuzz` tries on each reader.
CASES ?= 10000
# How often `stress` is repeated, each time with another seed.
ROUNDS ?= 20
# Arguments of one measurement instead of all of them: make bench BENCH="kernels --help"
BENCH ?=
# Arguments of one scaling study instead of the standard ones: make scaling SCALING="--model conv-ae-32 --mode weak"
SCALING ?=
# Folder with include and lib of oneDNN, for `bench kernels --peer onednn`.
DNNL_ROOT ?= /usr

# The compiler of the MPI whose launcher starts several processes.
MPICC ?= mpicc

LIBRARY = $(MAKE) -f Sources/HourglassKernels/library/Makefile
PROGRAM = .build/release/hourglass
MPI_LIBRARY = .build/release/libhourglass_mpi.so
SWIFT_SOURCES = Package.swift Sources Tests Benchmarks
C_SOURCES = $(shell git ls-files '*.c' '*.h')
# One sentence when there is no usable Swift toolchain, else nothing.
NO_SWIFT = $(shell Scripts/require-swift)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: build ## train a small VAE on the built-in images, evaluate it and say where its pictures are
	rm -rf runs/demo
	$(PROGRAM) train --model conv-vae-28 --run runs/demo $(DEMO)
	$(PROGRAM) evaluate --run runs/demo
	@echo; echo "Look at:"; find runs/demo/report.html runs/demo/pictures -type f | sort | sed 's/^/  /'

# Kernel tests change the instruction set of their process, so they have one of their own.
test: setup ## all tests; FILTER=Name for some
	swift test $(if $(FILTER),--filter '$(FILTER)',--skip KernelTests)
	$(if $(FILTER),,swift test --skip-build --filter KernelTests)
	$(if $(FILTER),,Scripts/check-examples)
	$(if $(FILTER),,Scripts/test-python)
	$(if $(FILTER),,HOURGLASS_ISA=baseline swift test --skip-build --filter KernelTests)

# With Swift's libraries inside, the program starts twice as fast and runs on machines without a toolchain. The linker of
# the toolchain, because the default one warns about a function inside Foundation.
build: setup ## the program, in release mode: .build/release/hourglass
	swift build -c release --static-swift-stdlib -Xswiftc -use-ld=lld

mpi: ## what several processes train together by (mpirun, srun), beside the program; MPICC=... for one MPI of several
	@command -v '$(MPICC)' >/dev/null || { echo "mpi: needs $(MPICC); Scripts/setup mpi installs Debian's Open MPI" >&2; exit 1; }
	@[ -x $(PROGRAM) ] || $(MAKE) build
	$(MPICC) -O2 -Wall -Wextra -shared -fPIC -o $(MPI_LIBRARY) Sources/CMPI/mpi.c

check: setup ## the laws of the design, layout of the sources, warnings of gcc and clang, no allocation in a step
	@Scripts/setup check
	Scripts/check-laws
	Scripts/check-kernels
	Scripts/check-library
	Scripts/check-arm
	Scripts/fuzz
	swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)
	@clang-format --dry-run -Werror $(C_SOURCES)
	swift test --scratch-path .build/check -c release -Xswiftc -enable-testing \
	  -Xswiftc -Werror -Xswiftc DeprecatedDeclaration --filter AllocationTests

check-docs: build engine ## every block of commands and code of README.md and Docs, shortened, on made-up data
	Scripts/check-docs

check-packages: tarball deb ## the tarball and the package in an empty Debian by debootstrap; as root
	Scripts/check-packages

documentation: setup ## the library's reference from its comments, by DocC: .build/documentation
	Scripts/build-documentation

check-arm: ## the C library on 64-bit ARM, under qemu: its definitions, and the bits of this machine
	Scripts/check-arm

format: setup ## lay the sources out as `check` wants them
	@Scripts/setup format
	swift format --in-place --parallel --recursive $(SWIFT_SOURCES)
	clang-format -i $(C_SOURCES)

bench: build ## limits, kernels and steps in turn with PyTorch, and the table of the processor; BENCH="..." for one measurement
	$(if $(BENCH),.build/release/bench $(BENCH),Benchmarks/report)

scaling: build ## how steps scale with cores, five minutes on 2 cores, into scaling/; SCALING="..." for one study
	.build/release/bench scaling --output scaling $(or $(SCALING),--model all)
	$(if $(SCALING),,.build/release/bench scaling --output scaling --model conv-vae-28 --mode weak)

bench-baseline: build ## save what the kernels reach on this processor, in Benchmarks/Baselines
	.build/release/bench kernels --save Benchmarks/Baselines

bench-compare: build ## show which kernels got slower than saved for this processor
	.build/release/bench kernels --compare Benchmarks/Baselines

.build/kernels_onednn: Benchmarks/Peers/kernels_onednn.cpp
	@mkdir -p $(@D)
	$(CXX) -O2 -std=c++17 -fopenmp -I'$(DNNL_ROOT)/include' $< -L'$(DNNL_ROOT)/lib' -Wl,-rpath,'$(DNNL_ROOT)/lib' -ldnnl -o $@

# The Python that HOURGLASS_PYTHON names needs numpy, onnxruntime, safetensors and torch. It takes about five minutes
# in release mode, draws the page whatever it finds, and fails where a comparison does.
architectures: setup ## compare all public architectures with PyTorch, and draw Docs/architectures.md of what was found
	rm -f .build/architectures.json
	HOURGLASS_ARCHITECTURES='$(abspath .build/architectures.json)' swift test --scratch-path .build/check -c release \
	  -Xswiftc -enable-testing --filter ArchitectureTests.publicArchitectures; status=$$?; \
	$(or $(HOURGLASS_PYTHON),python3) Tests/HourglassTrainingTests/Architectures/table.py .build/architectures.json \
	  > .build/architectures.md && mv .build/architectures.md Docs/architectures.md && exit $$status

sanitize: setup ## all tests under the thread, address and undefined-behaviour sanitizers; FILTER=Name for some
	Scripts/sanitize $(if $(FILTER),--filter '$(FILTER)')

fuzz: setup ## kernels on arbitrary arguments (SECONDS=600); each reader on altered files (CASES=10000), JSON, command lines
	Scripts/fuzz $(or $(SECONDS),600)
	Scripts/fuzz-readers $(CASES)
	Scripts/fuzz-json $$(( 3 * $(CASES) ))
	Scripts/fuzz-flags $$(( $(CASES) / 2 ))

stress: build ## kill or hinder all commands at each operation on files; kill runs at random moments, ROUNDS=20 times
	HOURGLASS_PROGRAM='$(abspath $(PROGRAM))' HOURGLASS_FAULTS=all HOURGLASS_STRESS=$(ROUNDS) \
	  swift test --no-parallel --filter '(Stress|Fault\w+)Tests'

library: ## the kernels as a C library, in .build/library; CC=clang, OPENMP=0; needs no Swift
	$(LIBRARY) library

engine: setup ## the engine as a C library: .build/engine/libhourglass.so and hourglass.h
	Scripts/build-engine

wheel: setup ## the Python package with the engine inside: .build/wheel/hourglass-*.whl
	Scripts/build-wheel

# The licences of all that is inside go with them.
tarball: build ## the program for Linux with all libraries inside: .build/release-files/hourglass-*.tar.gz
	Scripts/build-tarball

deb: build ## the program as a package of this machine's Debian or Ubuntu: .build/release-files/hourglass_*.deb
	Scripts/build-deb

# Of the estimators in Python, with the engine of this checkout; the Python that HOURGLASS_PYTHON names needs numpy and pytest.
test-python: ## tests of the Python package, where Python has numpy and pytest
	Scripts/test-python

amalgamate: ## the C library as one header to paste: .build/amalgamated/hourglass_kernels.h
	@mkdir -p .build/amalgamated
	Scripts/amalgamate .build/amalgamated/hourglass_kernels.h

install-library: ## the kernels as a C library into PREFIX (/usr/local), below DESTDIR; never builds Swift
	$(LIBRARY) install

install: install-library ## the C library into PREFIX (/usr/local), below DESTDIR; the program too where there is Swift, with MPI where there is mpicc
	@if [ -x $(PROGRAM) ] || { [ -z "$$(Scripts/require-swift)" ] && $(MAKE) build; }; then \
	  install -s -D -m 755 $(PROGRAM) '$(DESTDIR)$(PREFIX)/bin/hourglass' \
	    && Scripts/completions $(PROGRAM) '$(DESTDIR)$(PREFIX)/share' || exit 1; \
	  if command -v '$(MPICC)' >/dev/null; then \
	    $(MAKE) mpi && install -D -m 755 $(MPI_LIBRARY) '$(DESTDIR)$(PREFIX)/lib/libhourglass_mpi.so'; \
	  fi; \
	else \
	  echo "install: the C library alone; the program needs a build that works (make build)" >&2; \
	fi

uninstall: ## remove all that `make install` put into PREFIX
	$(LIBRARY) uninstall
	rm -f '$(DESTDIR)$(PREFIX)/bin/hourglass' '$(DESTDIR)$(PREFIX)/lib/libhourglass_mpi.so' \
	  $(addprefix '$(DESTDIR)$(PREFIX)/share/',bash-completion/completions/hourglass' zsh/site-functions/_hourglass' \
	  fish/vendor_completions.d/hourglass.fish')

clean: ## remove everything that was built; runs stay
	rm -rf .build

setup:
	$(if $(NO_SWIFT),$(error $(NO_SWIFT)))
	@Scripts/setup

.PHONY: help demo test build mpi check check-docs check-packages documentation check-arm format bench scaling bench-baseline bench-compare architectures sanitize stress fuzz \
  library engine wheel tarball deb test-python amalgamate install install-library uninstall clean setup
