//! The cxx bridge: the abstract C++ class `netfold::Model` of `cpp/netfold_model.h`.

#[cxx::bridge(namespace = "netfold")]
pub(crate) mod ffi {
    /// How to run; see `RunRequest` in `cpp/netfold_model.h`.
    struct Options {
        frames: u64,
        stalls: bool,
        stall_seed: u64,
        idle_limit: u64,
        max_cycles: u64,
        drain_cycles: u64,
        trace: String,
    }

    struct RawViolation {
        kind: u32,
        port: u32,
        cycle: u64,
        beat: u64,
    }

    /// What came of it; see `RunReply`.
    struct Report {
        status: u32,
        cycles: u64,
        violation_count: u64,
        violations: Vec<RawViolation>,
        message: String,
    }

    unsafe extern "C++" {
        include!("netfold-sim/cpp/bridge.h");

        type Model;

        fn run_model(
            model: &Model,
            options: &Options,
            inputs: &[i64],
            outputs: &mut [i64],
            first_input: &mut [u64],
            last_output: &mut [u64],
            beats: &mut [u64],
        ) -> Report;

        fn abi_version() -> u32;
    }

    impl UniquePtr<Model> {}
}

// SAFETY: `Model::run` is const and builds its own simulation; the interface promises that several threads may call it at once.
unsafe impl Send for ffi::Model {}
// SAFETY: as above.
unsafe impl Sync for ffi::Model {}
