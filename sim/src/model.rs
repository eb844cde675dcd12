//! A loaded simulation: runs and what they measure.

use std::ffi::{CString, c_char};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cxx::UniquePtr;
use netfold_ir::diag::{Code, Diag};

use crate::bridge::ffi;
use crate::ports::{Interface, StreamPort};
use crate::stats;

/// How to run a model.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Without a seed every input always offers its next beat and every output is always ready. With one, each port stalls in phases
    /// of 1 to 64 cycles whose probabilities (0, 1/16, 1/4, 1/2, 3/4, 15/16 or 1 of moving) are drawn from SplitMix64, and
    /// inputs show noise on `tdata` and `tlast` while `tvalid` is low.
    pub stalls: Option<u64>,
    /// Waveform file; the model must have been built for its format.
    pub trace: Option<PathBuf>,
    /// Gives up after so many cycles.
    pub max_cycles: u64,
    /// Cycles without a handshake on any port that count as a deadlock: more than the design's slowest beat takes.
    pub idle_limit: u64,
    /// Cycles to go on after the last output beat, to find beats too many.
    pub drain_cycles: u64,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions { stalls: None, trace: None, max_cycles: u64::MAX, idle_limit: 1_000_000, drain_cycles: 64 }
    }
}

/// A breach of the stream protocol by an output of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViolationKind {
    /// `tvalid` fell without a handshake.
    ValidDropped,
    /// `tdata` or `tlast` changed while `tvalid` waited for `tready`.
    DataChanged,
    /// `tlast` low on the last beat of a frame.
    LastMissing,
    /// `tlast` high on another beat.
    LastEarly,
    /// A padding bit of `tdata` above the last element was set.
    Padding,
    /// A beat after the last frame's last beat; of a C simulation, a beat too many or too few in a stream after a frame.
    ExtraBeat,
    /// A kind that this version does not know.
    Unknown,
}

impl ViolationKind {
    fn from_raw(raw: u32) -> ViolationKind {
        match raw {
            0 => ViolationKind::ValidDropped,
            1 => ViolationKind::DataChanged,
            2 => ViolationKind::LastMissing,
            3 => ViolationKind::LastEarly,
            4 => ViolationKind::Padding,
            5 => ViolationKind::ExtraBeat,
            _ => ViolationKind::Unknown,
        }
    }

    /// The breach in words.
    pub fn as_str(self) -> &'static str {
        match self {
            ViolationKind::ValidDropped => "tvalid fell without a handshake",
            ViolationKind::DataChanged => "tdata or tlast changed while stalled",
            ViolationKind::LastMissing => "tlast is missing on the last beat of a frame",
            ViolationKind::LastEarly => "tlast is set before the last beat of a frame",
            ViolationKind::Padding => "a padding bit of tdata is set",
            ViolationKind::ExtraBeat => "beats do not match the frames",
            ViolationKind::Unknown => "unknown breach of the protocol",
        }
    }
}

/// One breach of the stream protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What was breached.
    pub kind: ViolationKind,
    /// Prefix of the port.
    pub port: String,
    /// Cycle since reset was released.
    pub cycle: u64,
    /// Beats handed over on this port before.
    pub beat: u64,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} (cycle {}, beat {})", self.port, self.kind.as_str(), self.cycle, self.beat)
    }
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// One array a port: frames times elements of a frame, in stream order.
    pub outputs: Vec<Vec<i64>>,
    /// Latency of the first frame: cycle of its last output beat's handshake minus cycle of its first input beat's handshake (with several
    /// ports: the last of the outputs, the first of the inputs). A purely combinational design has 0. `None` for a C simulation, without
    /// frames, or when an output ends before its input begins.
    pub latency_cycles: Option<u64>,
    /// Smallest and largest latency over all frames, by the same definition. Frames that wait for the one before are included.
    pub frame_latencies: Option<(u64, u64)>,
    /// Initiation interval in steady state: median distance between the last output beats of consecutive frames, over the later half of
    /// the distances. `None` for a C simulation or fewer than two frames.
    pub interval_cycles: Option<u64>,
    /// The largest of the same distances.
    pub interval_max_cycles: Option<u64>,
    /// Cycles from the release of reset to the last handshake; 0 for a C simulation.
    pub cycles: u64,
    /// Wall-clock time of the run.
    pub seconds: f64,
    /// Breaches of the protocol; the first sixteen.
    pub violations: Vec<Violation>,
    /// Breaches of the protocol in all.
    pub violation_count: u64,
}

impl RunResult {
    /// Appends the frames of a later run.
    fn absorb(&mut self, later: RunResult) {
        for (mine, more) in self.outputs.iter_mut().zip(later.outputs) {
            mine.extend(more);
        }
        self.frame_latencies = match (self.frame_latencies, later.frame_latencies) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.cycles += later.cycles;
        self.violations.extend(later.violations);
        self.violations.truncate(VIOLATIONS_KEPT);
        self.violation_count += later.violation_count;
    }
}

/// Breaches of the protocol that a result lists.
const VIOLATIONS_KEPT: usize = 16;

type Factory = unsafe extern "C" fn(u32, *const c_char) -> *mut ffi::Model;
/// The factory's name in a library, as `cpp/netfold_model.h` declares it.
const FACTORY: &[u8] = b"netfold_model_create\0";

/// A compiled design or C simulation, loaded. Every run starts from reset; several threads may run one model at once.
pub struct Model {
    model: UniquePtr<ffi::Model>,
    interface: Interface,
    timed: bool,
    /// Never unloaded: code of the library may be registered with the C++ runtime until the process ends.
    _library: ManuallyDrop<libloading::Library>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("interface", &self.interface).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a library that this crate built for `interface`. `timed`: whether it counts cycles.
    pub(crate) fn load(path: &Path, data: &Path, interface: Interface, timed: bool) -> Result<Model, Diag> {
        let place = || path.display().to_string();
        let fail = |e: libloading::Error| Diag::new(Code::Tool, place(), format!("cannot load the simulation: {e}"));
        let folder = CString::new(data.as_os_str().as_bytes())
            .map_err(|_| Diag::new(Code::Io, data.display().to_string(), "a path with a zero byte"))?;
        // SAFETY: the library comes from this crate's own cache; its initializers are Verilator's and the C++ library's.
        let library = ManuallyDrop::new(unsafe { libloading::Library::new(path) }.map_err(fail)?);
        // SAFETY: the type is that of the declaration in netfold_model.h, which the library was compiled with.
        let factory = unsafe { library.get::<Factory>(FACTORY) }.map_err(fail)?;
        // SAFETY: `folder` is zero-terminated and outlives the call; the factory copies it.
        let raw = unsafe { factory(ffi::abi_version(), folder.as_ptr()) };
        if raw.is_null() {
            return Err(Diag::new(Code::Tool, place(), "the simulation is of another version of netfold")
                .help("clear the cache folder and run again"));
        }
        // SAFETY: the factory hands over a new object that nobody else owns.
        let model = unsafe { UniquePtr::from_raw(raw) };
        Ok(Model { model, interface, timed, _library: library })
    }

    /// The design's ports.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Simulates `frames` frames from reset. `inputs` has one array a port: frames times elements of a frame, in stream order.
    ///
    /// # Errors
    /// `Code::Invalid` when `inputs` does not fit the ports; `Code::Mismatch` on a deadlock or too many cycles, with the beats that went in
    /// and came out; `Code::Tool` when the simulation itself fails (`$fatal`, a missing data file, no waveform support).
    pub fn run(&self, options: &RunOptions, inputs: &[Vec<i64>], frames: usize) -> Result<RunResult, Diag> {
        let ports = &self.interface;
        Interface::check_values(&ports.inputs, inputs, frames)?;
        let flat: Vec<i64> = inputs.concat();
        let too_large = || Diag::new(Code::Invalid, &ports.top, format!("{frames} frames do not fit the memory"));
        let mut outputs = vec![0i64; frames.checked_mul(ports.output_elements()).ok_or_else(too_large)?];
        let (mut first_input, mut last_output) = (vec![u64::MAX; frames], vec![0u64; frames]);
        let mut beats = vec![0u64; ports.inputs.len() + ports.outputs.len()];
        let trace = match &options.trace {
            None => String::new(),
            Some(path) => path.to_str().map(str::to_owned).ok_or_else(|| {
                Diag::new(Code::Usage, path.display().to_string(), "the waveform file's name is not UTF-8")
            })?,
        };
        let request = ffi::Options {
            frames: frames as u64,
            stalls: options.stalls.is_some(),
            stall_seed: options.stalls.unwrap_or(0),
            idle_limit: options.idle_limit,
            max_cycles: options.max_cycles,
            drain_cycles: options.drain_cycles,
            trace,
        };
        let start = Instant::now();
        let report =
            ffi::run_model(&self.model, &request, &flat, &mut outputs, &mut first_input, &mut last_output, &mut beats);
        let seconds = start.elapsed().as_secs_f64();
        self.check_status(&report, options, &beats, frames)?;

        let mut split = outputs.as_slice();
        let outputs = ports
            .outputs
            .iter()
            .map(|port| {
                let (mine, rest) = split.split_at(frames * port.frame_elements());
                split = rest;
                mine.to_vec()
            })
            .collect();
        let latencies = if self.timed { stats::latencies(&first_input, &last_output) } else { None };
        let latencies = latencies.unwrap_or_default();
        let interval = if self.timed { stats::intervals(&last_output) } else { None };
        Ok(RunResult {
            outputs,
            latency_cycles: latencies.first().copied(),
            frame_latencies: latencies.iter().copied().min().zip(latencies.iter().copied().max()),
            interval_cycles: interval.map(|i| i.0),
            interval_max_cycles: interval.map(|i| i.1),
            cycles: report.cycles,
            seconds,
            violations: self.violations(&report),
            violation_count: report.violation_count,
        })
    }

    /// Simulates on several threads, each its own run of consecutive frames; for designs and C simulations whose frames do not depend on each
    /// other. Of the result, `latency_cycles` is that of the very first frame, intervals are those of the first thread's run, latencies
    /// span all runs, `cycles` and violations add up.
    ///
    /// # Errors
    /// As [`Model::run`], of the first run that fails; `Code::Usage` for a waveform from several threads.
    pub fn run_parallel(
        &self,
        options: &RunOptions,
        inputs: &[Vec<i64>],
        frames: usize,
        threads: usize,
    ) -> Result<RunResult, Diag> {
        let threads = threads.min(frames);
        if threads <= 1 {
            return self.run(options, inputs, frames);
        }
        if let Some(trace) = &options.trace {
            let cause = "several threads cannot write one waveform file";
            return Err(Diag::new(Code::Usage, trace.display().to_string(), cause));
        }
        let ports = &self.interface.inputs;
        Interface::check_values(ports, inputs, frames)?;
        let start = Instant::now();
        let bound = |part: usize| part * (frames / threads) + part.min(frames % threads);
        let part = |part: usize| {
            let (from, to) = (bound(part), bound(part + 1));
            let slice = |(port, values): (&StreamPort, &Vec<i64>)| {
                values[from * port.frame_elements()..to * port.frame_elements()].to_vec()
            };
            let inputs: Vec<Vec<i64>> = ports.iter().zip(inputs).map(slice).collect();
            self.run(options, &inputs, to - from)
        };
        let results: Vec<Result<RunResult, Diag>> = std::thread::scope(|scope| {
            let part = &part;
            let running: Vec<_> = (0..threads).map(|i| scope.spawn(move || part(i))).collect();
            let panicked = || Diag::internal(&self.interface.top, "a simulation thread panicked");
            running.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let mut results = results.into_iter();
        let nothing = || Diag::internal(&self.interface.top, "no simulation ran");
        let mut all = results.next().ok_or_else(nothing)??;
        for result in results {
            all.absorb(result?);
        }
        all.seconds = start.elapsed().as_secs_f64();
        Ok(all)
    }

    fn violations(&self, report: &ffi::Report) -> Vec<Violation> {
        let name = |port: u32| self.interface.outputs.get(port as usize).map_or(String::new(), |p| p.prefix.clone());
        report
            .violations
            .iter()
            .map(|v| Violation {
                kind: ViolationKind::from_raw(v.kind),
                port: name(v.port),
                cycle: v.cycle,
                beat: v.beat,
            })
            .collect()
    }

    fn check_status(
        &self,
        report: &ffi::Report,
        options: &RunOptions,
        beats: &[u64],
        frames: usize,
    ) -> Result<(), Diag> {
        let top = &self.interface.top;
        let cause = match report.status {
            0 => return Ok(()),
            1 => format!("deadlock: no handshake for {} cycles after cycle {}", options.idle_limit, report.cycles),
            2 => format!("not done after {} cycles", options.max_cycles),
            _ => return Err(Diag::new(Code::Tool, top, format!("the simulation failed: {}", report.message))),
        };
        let ports = self.interface.inputs.iter().chain(&self.interface.outputs);
        let counts: Vec<String> = ports
            .zip(beats)
            .map(|(p, n)| format!("{} {n} of {}", p.prefix, frames as u64 * u64::from(p.beats_per_frame)))
            .collect();
        let help =
            self.violations(report).first().map_or(String::new(), |v| format!("first breach of the protocol: {v}"));
        Err(Diag::new(Code::Mismatch, top, format!("{cause}; beats: {}", counts.join(", "))).help(help))
    }
}
