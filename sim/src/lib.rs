//! Simulation: builds what netfold generated and runs it.
//!
//! * [`verilator`]: SystemVerilog -> Verilator -> g++ -> a shared library, cached by content.
//! * [`csim`]: an HLS project's C++ -> g++ -> a shared library with the same interface.
//! * [`model`]: a loaded library, its runs and what they measure. Both kinds are one abstract C++ class behind one cxx bridge.
//! * [`testbench`]: a SystemVerilog testbench for people who use another simulator.
//! * [`npy`]: NumPy array files.
//!
//! The cycle loop runs inside the library: one call simulates all frames.
//!
//! # Environment
//! | variable | meaning |
//! |---|---|
//! | `NETFOLD_VERILATOR` | Verilator's program, or the folder that holds its `bin/` and `include/` |
//! | `NETFOLD_CXX` | the C++ compiler (C++17); otherwise `g++`, `c++`, `clang++` on `PATH` |
//! | `NETFOLD_CACHE` | the cache folder; otherwise `$XDG_CACHE_HOME/netfold`, `~/.cache/netfold` |
//! | `NETFOLD_CACHE_MB` | size bound of the cache in MiB; 2048 otherwise |
//! | `NETFOLD_HLS_INCLUDE` | the folder with `ap_int.h` |
//! | `XILINX_HLS` | a Vitis HLS installation, whose `include/` has the `ap_int` headers |

mod bridge;
pub mod cache;
pub mod csim;
pub mod model;
pub mod npy;
pub mod ports;
mod stats;
pub mod testbench;
pub mod toolchain;
pub mod verilator;

pub use cache::Cache;
pub use csim::{Csim, CsimPort, CsimSpec, Passing};
pub use model::{Model, RunOptions, RunResult, Violation, ViolationKind};
pub use ports::{Interface, SourceFile, StreamPort};
pub use testbench::testbench;
pub use verilator::{ModelSpec, TraceFormat, Verilator};
