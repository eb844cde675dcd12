//! Vitis HLS projects: a hardware design as C++ that computes the same integers with the same folding.
//!
//! [`generate`] writes the folder that hls4ml's users know: `firmware/` with the top function, its parameters and our layer
//! library, a testbench with data, and the scripts of the tool. [`Project::of`] reads back what a project is made of, so that it
//! can be simulated, from the files in memory or from a folder.
//!
//! Two styles of the interface ([`Io`]): streams, where every module is a process of a dataflow region; and arrays, where the
//! processes stand between a loop that reads the input array and one that writes the output array, or, when the network is small
//! enough to be unrolled ([`Strategy::Latency`]), where the whole top function is one pipeline.

mod activation;
mod array;
mod firmware;
mod limits;
mod modules;
mod names;
mod program;
mod project;
mod scripts;
mod top;
mod unit;

pub use limits::{MAX_PARTS, MAX_WORD_BITS};
pub use names::project_name;
pub use project::{Port, Project, ProjectLayer};

use crate::files::Files;
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{self, Design};

/// How tensors enter and leave the top function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Io {
    /// `io_stream`: streams of words.
    Stream,
    /// `io_parallel`: arrays of whole frames.
    Parallel,
}

impl Io {
    /// The name in hls4ml's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Io::Stream => "io_stream",
            Io::Parallel => "io_parallel",
        }
    }
}

/// hls4ml's strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// [`Strategy::Latency`] where the tool's limits allow it, otherwise [`Strategy::Resource`] without its block RAM.
    Auto,
    /// Everything unrolled. With arrays: one pipelined function with the design's interval. With streams: weights in logic or LUTs,
    /// as the design says.
    Latency,
    /// Loops, with weights in block RAM where they change from cycle to cycle.
    Resource,
}

impl Strategy {
    /// The name in hls4ml's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Auto => "Auto",
            Strategy::Latency => "Latency",
            Strategy::Resource => "Resource",
        }
    }
}

/// Frames for the testbench.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vectors {
    /// Number of frames.
    pub frames: usize,
    /// Per input port the integers of all frames, in stream order.
    pub inputs: Vec<Vec<i64>>,
    /// Per output port the integers that must come out.
    pub outputs: Vec<Vec<i64>>,
}

impl Vectors {
    /// Frames of numbers spread over the inputs' types, with what the design's functional meaning gives for them.
    ///
    /// # Errors
    /// Those of [`hw::eval::eval`]: internal errors.
    pub fn example(design: &Design, frames: usize) -> Result<Vectors, Diag> {
        let mut inputs = Vec::new();
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for port in &design.inputs {
            let streams = design.outputs_of(port.module);
            let stream = streams.first().ok_or_else(|| Diag::internal(&port.name, "an input without a stream"))?.1;
            let ty = netfold_ir::quant::IntType::new(stream.ty.signed, stream.ty.bits);
            let values = (0..frames * stream.lanes * stream.beats).map(|_| {
                // SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014).
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ty.min() + ((z ^ (z >> 31)) & ((1u64 << ty.bits) - 1)) as i64
            });
            inputs.push(values.collect());
        }
        let outputs = hw::eval::eval(design, &inputs, frames)?;
        Ok(Vectors { frames, inputs, outputs })
    }
}

/// What to generate.
#[derive(Debug, Clone)]
pub struct HlsProject<'a> {
    /// The design.
    pub design: &'a Design,
    /// Name of the project and of the top function: letters, digits and single underscores.
    pub name: &'a str,
    /// Ordering code of the device.
    pub part: &'a str,
    /// Clock period in ns.
    pub clock_period_ns: f64,
    /// Part of the period that is kept free for what synthesis does not know, in percent.
    pub clock_uncertainty_percent: f64,
    /// Style of the interface.
    pub io: Io,
    /// Strategy of the whole project.
    pub strategy: Strategy,
    /// Frames of the testbench.
    pub vectors: Vectors,
    /// Lines for the headers of the files: what was decided and why (data, not text of a language).
    pub notes: Vec<String>,
}

/// The files of a project, below its folder.
///
/// # Errors
/// [`Code::Config`] for a name, part or clock that cannot be; [`Code::DoesNotFit`] for every layer whose folding is beyond what
/// the tool takes, with the largest setting that works; internal errors for a broken design.
pub fn generate(project: &HlsProject<'_>) -> Result<Files, Diags> {
    let mut diags = Diags::new();
    diags.take(names::check_project(project.name));
    diags.take(names::check_part(project.part));
    diags.take(check_clock(project));
    diags.take(check_vectors(project));
    let design = project.design;
    if design.inputs.is_empty() || design.outputs.is_empty() {
        diags.push(Diag::new(Code::Invalid, &design.name, "a design needs an input and an output"));
    }
    if let Err(found) = limits::check_streams(design) {
        diags.extend(found);
    }
    let mut notes: Vec<String> = project.notes.clone();
    let unrolled = match (project.io, project.strategy) {
        (Io::Stream, _) | (Io::Parallel, Strategy::Resource) => false,
        (Io::Parallel, Strategy::Latency) => {
            diags.extend(limits::check_unrolled(design));
            true
        }
        (Io::Parallel, Strategy::Auto) => {
            let found = limits::check_unrolled(design);
            if let Some(first) = found.iter().next() {
                notes.push(format!(
                    "Layers are loops, not unrolled: {} of them are too large for that, the first of them {}",
                    found.iter().count(),
                    first.place
                ));
            }
            found.is_empty()
        }
    };
    diags.into_result(())?;
    let built = top::build(project, unrolled)?;
    notes.extend(slower(design, unrolled));
    let firmware = firmware::files(project, &built, &notes)?;
    let sources = firmware.iter().map(|(path, _)| path.to_string()).collect();
    let mut files = scripts::files(project, &built)?;
    files.insert(project::FILE, project::describe(project, &built, unrolled, &notes, sources)?);
    files.extend(firmware);
    Ok(files)
}

/// Says where the C++ needs more cycles a frame than the design.
fn slower(design: &Design, unrolled: bool) -> Option<String> {
    let (cycles, designed) = (interval_cycles(design, unrolled), hw::timing::bottleneck(design).0);
    (cycles > designed).then(|| {
        format!(
            "A frame takes {cycles} cycles where the Verilog design takes {designed}: a window unit finishes its last windows \
             before the next frame begins"
        )
    })
}

/// Cycles in which a design takes a frame as an HLS project of this style: the longest loop of a process, without the few
/// cycles in which its pipeline fills; or the interval of the one pipeline.
pub fn interval_cycles(design: &Design, unrolled: bool) -> u64 {
    let ids = design.modules();
    let steps = |id: &hw::ModuleId| {
        let module = design.module(*id);
        if unrolled { module.kind.firings() } else { top::steps(design, *id) }
    };
    ids.iter().map(steps).max().unwrap_or(1) as u64
}

/// Says where a design does not have the reuse factor that was asked for: `asked` by layer.
///
/// A reuse factor is the number of multiplications that a multiplier does for one input vector; it is a product of a divisor of
/// the rows and one of the columns of the weights.
pub fn snapped_reuse(design: &Design, asked: impl Fn(&str) -> Option<usize>) -> Vec<String> {
    let mut notes = Vec::new();
    for id in design.modules() {
        let module = design.module(id);
        let (rows, cols, pe, simd) = match &module.kind {
            hw::Kind::Mvu(m) => (m.weights.rows, m.weights.cols, m.pe, m.simd),
            hw::Kind::Vvu(v) => (v.channels(), v.weights.cols, v.pe, v.simd),
            _ => continue,
        };
        let reuse = (rows / pe) * (cols / simd);
        if let Some(wanted) = asked(&module.layer).filter(|w| *w != reuse) {
            notes.push(format!(
                "layer {}: reuse factor {wanted} is not possible for {rows} x {cols} weights; the nearest, {reuse}, is used (PE {pe}, SIMD {simd})",
                module.layer
            ));
        }
    }
    notes
}

fn check_clock(project: &HlsProject<'_>) -> Result<(), Diag> {
    let (period, uncertainty) = (project.clock_period_ns, project.clock_uncertainty_percent);
    if !(0.1..=1000.0).contains(&period) {
        return Err(Diag::new(Code::Config, "clock period", format!("{period} ns is outside of 0.1 to 1000 ns")));
    }
    if !(0.0..100.0).contains(&uncertainty) {
        return Err(Diag::new(Code::Config, "clock uncertainty", format!("{uncertainty} % is outside of 0 to 99 %")));
    }
    Ok(())
}

fn check_vectors(project: &HlsProject<'_>) -> Result<(), Diag> {
    let design = project.design;
    let frames = project.vectors.frames;
    let inputs = design.inputs.iter().map(|p| (p, design.outputs_of(p.module)));
    let outputs = design.outputs.iter().map(|p| (p, design.inputs_of(p.module)));
    let data = [(&project.vectors.inputs, inputs.collect::<Vec<_>>()), (&project.vectors.outputs, outputs.collect())];
    for (values, ports) in data {
        if frames > 0 && values.len() != ports.len() {
            return Err(Diag::internal(project.name, "test vectors for another number of ports"));
        }
        for (values, (port, streams)) in values.iter().zip(&ports) {
            let elements = streams.first().map_or(0, |(_, s)| s.lanes * s.beats);
            if values.len() != frames * elements {
                return Err(Diag::internal(&port.name, "test vectors of another length"));
            }
        }
    }
    Ok(())
}
