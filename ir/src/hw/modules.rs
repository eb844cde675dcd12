//! The kinds of modules and their parameters.
//!
//! "Elements per beat" of every port follows from the parameters: see [`Kind::input_lanes`] and [`Kind::output_lanes`].

use super::act::Realization;
use super::program::Program;
use crate::net::Window;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An integer matrix, row-major.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// Number of rows (outputs).
    pub rows: usize,
    /// Number of columns (inputs).
    pub cols: usize,
    /// `rows * cols` entries.
    pub data: Vec<i64>,
}

impl Matrix {
    /// One row.
    pub fn row(&self, r: usize) -> &[i64] {
        &self.data[r * self.cols..(r + 1) * self.cols]
    }
}

/// How products are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Multiplier {
    /// A DSP block each.
    Dsp,
    /// Logic: a multiplier of two variables when weights change from cycle to cycle, shift-and-add when they are constant.
    Lut,
    /// A DSP block for two rows of a matrix-vector unit that share their inputs ([`super::packing`]); what has no partner has a block
    /// of its own. Products are taken apart and added in logic.
    Packed,
    /// As [`Multiplier::Packed`], but where a unit multiplies one column a firing, output-first, blocks also add up both rows'
    /// products over the beats, and the sums are taken apart.
    PackedSum,
}

impl Multiplier {
    /// Whether products are built in DSP blocks.
    pub fn is_dsp(self) -> bool {
        self != Multiplier::Lut
    }

    /// Whether two rows of a matrix-vector unit share a block.
    pub fn is_packed(self) -> bool {
        matches!(self, Multiplier::Packed | Multiplier::PackedSum)
    }
}

/// Where weights, tables and buffers live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Memory {
    /// Constants in the logic, or registers.
    Logic,
    /// LUTs as memory.
    Lut,
    /// Block memory.
    Block,
    /// UltraRAM.
    Ultra,
}

/// Matrix-vector unit: `y = W x` for each of `vectors` input vectors a frame.
///
/// Per vector, `NF = rows / pe` row groups are computed in `SF = cols / simd` firings each. In which order says [`Mvu::early`]:
/// * The first `early` beats of the vector are multiplied with all row groups as they come, one firing a group, into one
///   accumulator a row: a beat is taken every `NF` firings, nothing is given.
/// * Then the row groups are finished one after the other, `SF - early` firings each. The rest of the vector is taken during the
///   first of them and kept for the others; each gives a beat in its last firing.
///
/// With `early = 0` the unit is *output-first*: its first result comes after one pass over the vector, and results come evenly
/// over all of its work. With `early = SF - 1` it is *input-first*: it takes the vector evenly over all of its work, and gives
/// all results in the last `NF` firings. Neighbours of opposite order overlap.
///
/// With `pixels > 1` as many vectors are multiplied with the same weights at once: beats hold `[pixel][column]` and `[pixel][row]`, and all
/// rows are computed in parallel, so that results come in the order of vectors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mvu {
    /// The weights.
    pub weights: Arc<Matrix>,
    /// Rows computed in parallel; divides the number of rows.
    pub pe: usize,
    /// Columns multiplied in parallel; divides the number of columns.
    pub simd: usize,
    /// Vectors a frame.
    pub vectors: usize,
    /// Input beats of a vector that are multiplied with all rows as they come; less than `SF`, and 0 when `NF` is 1.
    #[serde(default)]
    pub early: usize,
    /// Vectors multiplied at once; divides `vectors`, and is 1 when `NF` is above 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub pixels: usize,
    /// How products are built.
    pub multiplier: Multiplier,
    /// Where the weights live.
    pub memory: Memory,
}

impl Mvu {
    /// Largest [`Mvu::early`] of a unit of so many row groups and firings a row group: input-first, where that differs.
    pub fn latest_early(neuron_fold: usize, synapse_fold: usize) -> usize {
        if neuron_fold > 1 { synapse_fold - 1 } else { 0 }
    }

    /// Row group and beat of the vector that firing `i` of a vector multiplies.
    pub fn tile(&self, i: usize) -> (usize, usize) {
        let nf = self.neuron_fold();
        let rest = self.synapse_fold() - self.early;
        match i.checked_sub(self.early * nf) {
            None => (i % nf, i / nf),
            Some(j) => (j / rest, self.early + j % rest),
        }
    }

    /// Groups of vectors that are multiplied at once, a frame.
    pub fn blocks(&self) -> usize {
        self.vectors / self.pixels
    }

    /// Row groups.
    pub fn neuron_fold(&self) -> usize {
        self.weights.rows / self.pe
    }

    /// Firings a row group.
    pub fn synapse_fold(&self) -> usize {
        self.weights.cols / self.simd
    }
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

/// Depthwise unit: channel by channel dot product of a window's taps.
///
/// Input order within a pixel: channel groups of `pe`, in each `taps / simd` beats of `simd * pe` elements `[tap][channel]`.
/// Channel `c` has `multiplicity` outputs `c * multiplicity ..`, all computed in parallel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vvu {
    /// `channels * multiplicity` rows of `taps` weights.
    pub weights: Arc<Matrix>,
    /// Outputs per input channel.
    pub multiplicity: usize,
    /// Channels in parallel; divides the number of channels.
    pub pe: usize,
    /// Taps in parallel; divides the number of taps.
    pub simd: usize,
    /// Pixels a frame.
    pub pixels: usize,
    /// How products are built.
    pub multiplier: Multiplier,
    /// Where the weights live.
    pub memory: Memory,
}

impl Vvu {
    /// Number of input channels.
    pub fn channels(&self) -> usize {
        self.weights.rows / self.multiplicity
    }
}

/// Sliding-window unit with line buffers: for every output pixel and every group of `lanes` channels one beat with all
/// `kernel[0] * kernel[1]` taps, elements `[tap row][tap column][channel of the group]`, or those of them that are `given`.
///
/// Several windows of an image at once are one window of an image whose pixels are several of the first one's, side by side: its taps
/// hold all of theirs, and `given` says in which order they leave.
///
/// Pixels pass through one delay line in raster order, without padding pixels: taps outside of the image give `pad`.
/// Requires that every row and column of the kernel touches the image at the first window position
/// (`extent - pad_before <= size`), which `passes` ensures by trimming.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Swu {
    /// Input height and width.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Channels a beat; divides `channels`.
    pub lanes: usize,
    /// The window.
    pub window: Window,
    /// Output height and width.
    pub output: [usize; 2],
    /// Integer value of padded taps, per channel (length 1: all).
    pub pad: Vec<i64>,
    /// Where the line buffers live.
    pub memory: Memory,
    /// Elements of a window that a beat of the result holds, in this order; all when there is no list. Needs `lanes` to be `channels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Arc<Vec<u32>>>,
}

impl Swu {
    /// Elements a beat of the result.
    pub fn elements(&self) -> usize {
        self.given.as_ref().map_or(self.lanes * self.taps(), |g| g.len())
    }

    /// Taps of the window.
    pub fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1]
    }

    /// Beats from a frame's first to the newest one that the first window needs.
    pub fn fill(&self) -> usize {
        let [eh, ew] = self.window.extent();
        let rows = eh - 1 - self.window.pads[0].min(eh - 1);
        let cols = ew - 1 - self.window.pads[1].min(ew - 1);
        (rows * self.size[1] + cols) * (self.channels / self.lanes)
    }
}

/// A reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReduceOp {
    /// Largest.
    Max,
    /// Sum.
    Sum,
}

/// What a broadcasting unit computes of a vector element `x` and the vector's one scalar `s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BroadcastOp {
    /// `s - x`.
    RSub,
    /// `x * s`.
    Mul,
}

/// Kind of a module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Kind {
    /// Top-level input; one output port of `lanes`.
    Source {
        /// Elements a beat.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Top-level output; one input port of `lanes`.
    Sink {
        /// Elements a beat.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Matrix-vector unit.
    Mvu(Mvu),
    /// Depthwise unit.
    Vvu(Vvu),
    /// Sliding-window unit.
    Swu(Swu),
    /// A function of one element.
    Act {
        /// How it is realised.
        function: Arc<Realization>,
        /// Elements a beat.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Reduces the taps of window beats: input `[tap][lane]`, output one element a lane.
    WindowReduce {
        /// The reduction.
        op: ReduceOp,
        /// Taps a beat.
        taps: usize,
        /// Elements a beat of the result.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Reduces over all pixels, channel by channel.
    GlobalReduce {
        /// The reduction.
        op: ReduceOp,
        /// Pixels a frame.
        pixels: usize,
        /// Channels.
        channels: usize,
        /// Channels a beat; divides `channels`.
        lanes: usize,
    },
    /// Reduces each vector of `length` elements to one.
    VectorReduce {
        /// The reduction.
        op: ReduceOp,
        /// Elements a vector.
        length: usize,
        /// Elements a beat; divides `length`.
        lanes: usize,
        /// Vectors a frame.
        vectors: usize,
    },
    /// Index of the largest element of each vector.
    ArgMax {
        /// On ties the last index, otherwise the first.
        last: bool,
        /// Elements a vector.
        length: usize,
        /// Elements a beat; divides `length`.
        lanes: usize,
        /// Vectors a frame.
        vectors: usize,
    },
    /// Joins each vector of input 0 with the vector's single element of input 1.
    Broadcast {
        /// What is computed.
        op: BroadcastOp,
        /// Elements a vector.
        length: usize,
        /// Elements a beat; divides `length`.
        lanes: usize,
        /// Vectors a frame.
        vectors: usize,
    },
    /// `sum_i coefficient[i][c] * x_i`, one input stream a term (also a single one).
    LinComb {
        /// Per input, per channel (length 1: all).
        coefficients: Vec<Vec<i64>>,
        /// Added per channel (length 1: all).
        constant: Vec<i64>,
        /// Elements a beat.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Element-wise product of two streams.
    Mul {
        /// How products are built.
        multiplier: Multiplier,
        /// Elements a beat.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Copies each beat to every output.
    Fork {
        /// Number of outputs.
        outputs: usize,
        /// Elements a beat.
        lanes: usize,
        /// Beats a frame.
        beats: usize,
    },
    /// Concatenation: for each of `outer` rounds, `parts[i]` beats of every input `i` in turn.
    Concat {
        /// Rounds a frame.
        outer: usize,
        /// Beats a round of each input.
        parts: Vec<usize>,
        /// Elements a beat.
        lanes: usize,
    },
    /// Keeps `inner` beats for each of the indices `start + k * step`, `k < count`, of `size`, in each of `outer` rounds.
    Select {
        /// Rounds a frame.
        outer: usize,
        /// Indices a round.
        size: usize,
        /// Beats an index.
        inner: usize,
        /// First index kept.
        start: usize,
        /// Indices kept.
        count: usize,
        /// Distance of the indices kept.
        step: usize,
        /// Elements a beat.
        lanes: usize,
    },
    /// Width converter.
    Dwc {
        /// Elements an input beat.
        from: usize,
        /// Elements an output beat.
        to: usize,
        /// Elements a frame; a multiple of both.
        elements: usize,
    },
    /// Permutes the words (beats) of a frame through a double buffer: output beat `i` is input beat `order[i]`.
    Reorder {
        /// The permutation.
        order: Arc<Vec<u32>>,
        /// Elements a beat.
        lanes: usize,
        /// Where the buffer lives.
        memory: Memory,
    },
    /// Constant padding of `[H, W, C]`, in beats of `lanes` channels.
    Pad {
        /// Input height and width.
        size: [usize; 2],
        /// Beats a pixel.
        chunks: usize,
        /// Pixels before and after: top, left, bottom, right.
        pads: [usize; 4],
        /// Integer value per channel (length 1: all).
        value: Vec<i64>,
        /// Elements a beat.
        lanes: usize,
    },
    /// An unrolled part of the network.
    Program(Program),
    /// Nearest-neighbour upsampling.
    Upsample {
        /// Input height and width.
        size: [usize; 2],
        /// Beats a pixel.
        chunks: usize,
        /// Factors down and right.
        factors: [usize; 2],
        /// Elements a beat.
        lanes: usize,
    },
}

impl Kind {
    /// Name in reports and of the primitive that is instantiated.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Source { .. } => "source",
            Kind::Sink { .. } => "sink",
            Kind::Mvu(_) => "mvu",
            Kind::Vvu(_) => "vvu",
            Kind::Swu(_) => "swu",
            Kind::Act { function, .. } => function.name(),
            Kind::WindowReduce { .. } => "window_reduce",
            Kind::GlobalReduce { .. } => "global_reduce",
            Kind::VectorReduce { .. } => "vector_reduce",
            Kind::ArgMax { .. } => "argmax",
            Kind::Broadcast { .. } => "broadcast",
            Kind::LinComb { .. } => "lincomb",
            Kind::Mul { .. } => "mul",
            Kind::Fork { .. } => "fork",
            Kind::Concat { .. } => "concat",
            Kind::Select { .. } => "select",
            Kind::Dwc { .. } => "dwc",
            Kind::Reorder { .. } => "reorder",
            Kind::Pad { .. } => "pad",
            Kind::Program(_) => "program",
            Kind::Upsample { .. } => "upsample",
        }
    }

    /// Elements a beat of every input port.
    pub fn input_lanes(&self) -> Vec<usize> {
        match self {
            Kind::Source { .. } => vec![],
            Kind::Program(p) => p.inputs.clone(),
            Kind::Mvu(m) => vec![m.pixels * m.simd],
            Kind::Vvu(v) => vec![v.simd * v.pe],
            Kind::WindowReduce { taps, lanes, .. } => vec![taps * lanes],
            Kind::Broadcast { lanes, .. } => vec![*lanes, 1],
            Kind::LinComb { coefficients, lanes, .. } => vec![*lanes; coefficients.len()],
            Kind::Mul { lanes, .. } => vec![*lanes; 2],
            Kind::Concat { parts, lanes, .. } => vec![*lanes; parts.len()],
            Kind::Dwc { from, .. } => vec![*from],
            Kind::Swu(s) => vec![s.lanes],
            Kind::Sink { lanes, .. }
            | Kind::Act { lanes, .. }
            | Kind::GlobalReduce { lanes, .. }
            | Kind::VectorReduce { lanes, .. }
            | Kind::ArgMax { lanes, .. }
            | Kind::Fork { lanes, .. }
            | Kind::Select { lanes, .. }
            | Kind::Reorder { lanes, .. }
            | Kind::Pad { lanes, .. }
            | Kind::Upsample { lanes, .. } => vec![*lanes],
        }
    }

    /// Elements a beat of every output port.
    pub fn output_lanes(&self) -> Vec<usize> {
        match self {
            Kind::Sink { .. } => vec![],
            Kind::Program(p) => p.outputs.clone(),
            Kind::Mvu(m) => vec![m.pixels * m.pe],
            Kind::Vvu(v) => vec![v.pe * v.multiplicity],
            Kind::Swu(s) => vec![s.elements()],
            Kind::VectorReduce { .. } | Kind::ArgMax { .. } => vec![1],
            Kind::Fork { outputs, lanes, .. } => vec![*lanes; *outputs],
            Kind::Dwc { to, .. } => vec![*to],
            Kind::Source { lanes, .. }
            | Kind::Act { lanes, .. }
            | Kind::WindowReduce { lanes, .. }
            | Kind::GlobalReduce { lanes, .. }
            | Kind::Broadcast { lanes, .. }
            | Kind::LinComb { lanes, .. }
            | Kind::Mul { lanes, .. }
            | Kind::Concat { lanes, .. }
            | Kind::Select { lanes, .. }
            | Kind::Reorder { lanes, .. }
            | Kind::Pad { lanes, .. }
            | Kind::Upsample { lanes, .. } => vec![*lanes],
        }
    }
}
