//! `fold`: how much of each layer is computed in parallel.
//!
//! The balanced rule: for a frame every `T` cycles each layer gets the fewest multipliers with which it finishes a frame in `T`
//! cycles. Element-wise and moving units follow the width of their streams, widened where the rate needs it.

use crate::lower::wide::Wide;
use crate::unroll::Unrolled;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Memory, Multiplier};
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_ir::net::Window;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::sync::Arc;

/// Folding of one multiplying layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compute {
    /// Outputs (for depthwise layers: channels) computed in parallel.
    pub pe: usize,
    /// Inputs (for depthwise layers: taps) multiplied in parallel.
    pub simd: usize,
    /// Channels a beat of the window unit in front; `None`: as many as `simd` needs.
    pub window_lanes: Option<usize>,
    /// Input beats that are multiplied with all outputs as they come; see [`netfold_ir::hw::Mvu::early`]. 0 for depthwise layers.
    pub early: usize,
    /// Input pixels of a convolution, or vectors of a matrix product, a beat; 1: one or a part of one. With more, all outputs are
    /// computed in parallel.
    pub pixels: usize,
    /// How products are built.
    pub multiplier: Multiplier,
    /// Where the weights live.
    pub memory: Memory,
}

/// A folding of a whole network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folding {
    /// Cycles in which every unit must finish a frame, where its layer allows it.
    pub interval: u64,
    /// Multiplying layers.
    pub layers: FxHashMap<NodeId, Compute>,
    /// Elements a beat of other nodes, where chosen.
    pub lanes: FxHashMap<NodeId, usize>,
    /// Operators that are programs.
    pub programs: Programs,
    /// Elements that every node reads a frame, for rates.
    reads: FxHashMap<NodeId, usize>,
}

/// Programs of a folding.
#[derive(Debug, Clone, Default)]
pub struct Programs(pub Vec<Arc<Unrolled>>);

impl FromIterator<Arc<Unrolled>> for Programs {
    fn from_iter<I: IntoIterator<Item = Arc<Unrolled>>>(programs: I) -> Programs {
        Programs(programs.into_iter().collect())
    }
}

/// The very same programs.
impl PartialEq for Programs {
    fn eq(&self, other: &Programs) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl Eq for Programs {}

/// What the user asked of one layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pin {
    /// Outputs in parallel.
    pub pe: Option<usize>,
    /// Inputs in parallel.
    pub simd: Option<usize>,
    /// Multiplications a multiplier does for a vector (hls4ml's reuse factor).
    pub reuse: Option<usize>,
    /// Input beats that are multiplied with all outputs as they come.
    pub early: Option<usize>,
    /// Output pixels of a convolution, or vectors of a matrix product, computed at once.
    pub pixels: Option<usize>,
    /// How products are built.
    pub multiplier: Option<Multiplier>,
    /// Where the weights live.
    pub memory: Option<Memory>,
}

/// Limits within which a folding is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// DSP blocks that may be used.
    pub dsp: usize,
    /// Whether the device has block memory for weights.
    pub block_memory: bool,
}

/// All divisors of `n` in ascending order.
pub fn divisors(n: usize) -> Vec<usize> {
    let mut small = Vec::new();
    let mut large = Vec::new();
    let mut d = 1;
    while d * d <= n {
        if n.is_multiple_of(d) {
            small.push(d);
            if d * d != n {
                large.push(n / d);
            }
        }
        d += 1;
    }
    large.reverse();
    small.extend(large);
    small
}

/// A multiplying layer as folding sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Vectors (or pixels) a frame.
    pub vectors: usize,
    /// What `pe` divides.
    pub rows: usize,
    /// What `simd` divides.
    pub cols: usize,
    /// Multiplications in parallel for `pe = simd = 1`: the channel multiplicity of depthwise layers, otherwise 1.
    pub factor: usize,
    /// For convolutions: input pixels and channels, and taps of the window.
    pub window: Option<(usize, usize, usize)>,
    /// For convolutions: height, width and channels of the input, and the window.
    pub image: Option<([usize; 3], Window)>,
    /// Depthwise: `pe` is also the width of the window unit.
    pub depthwise: bool,
    /// Bits of a weight and of an input.
    pub bits: (u32, u32),
}

impl Work {
    /// The work of a node; `None` for nodes without weights.
    pub fn of(net: &IntNetwork, id: NodeId) -> Option<Work> {
        let node = net.graph.node(id);
        let input = net.graph.inputs(id).first().map(|i| net.graph.node(*i))?;
        match &node.op {
            IntOp::Dense(w) => Some(Work {
                vectors: input.elements() / w.cols,
                rows: w.rows,
                cols: w.cols,
                factor: 1,
                window: None,
                image: None,
                depthwise: false,
                bits: (bits_of(&w.data), input.ty().bits),
            }),
            IntOp::Conv(c) => {
                let taps = c.window.kernel[0] * c.window.kernel[1];
                let channels = c.input[2];
                let depthwise = c.is_depthwise();
                let pixels = node.shape[0] * node.shape[1];
                Some(Work {
                    vectors: pixels,
                    rows: if depthwise { channels } else { c.weights.rows },
                    cols: if depthwise { taps } else { taps * channels },
                    factor: if depthwise { c.weights.rows / channels } else { 1 },
                    window: Some((c.input[0] * c.input[1], channels, taps)),
                    image: Some((c.input, c.window)),
                    depthwise,
                    bits: (bits_of(&c.weights.data), input.ty().bits),
                })
            }
            IntOp::Input
            | IntOp::Step(_)
            | IntOp::LinComb { .. }
            | IntOp::Mul
            | IntOp::Pool { .. }
            | IntOp::GlobalReduce { .. }
            | IntOp::VectorReduce { .. }
            | IntOp::ArgMax { .. }
            | IntOp::Broadcast { .. }
            | IntOp::Concat { .. }
            | IntOp::Slice { .. }
            | IntOp::Permute { .. }
            | IntOp::Pad { .. }
            | IntOp::Upsample { .. } => None,
        }
    }

    /// Cycles a frame with a folding.
    pub fn cycles(&self, pe: usize, simd: usize) -> u64 {
        (self.vectors * (self.rows / pe) * (self.cols / simd)) as u64
    }

    /// Every way to compute several pixels, or vectors, at once, the fewest first.
    fn all_wides(&self) -> Vec<Wide> {
        match &self.image {
            Some((input, window)) => Wide::all(*input, window),
            None => divisors(self.vectors).into_iter().filter_map(|p| Wide::vectors(self.vectors, p)).collect(),
        }
    }

    /// Those of them that are of use in `interval` cycles: where the unit is too slow for the interval at one pixel a cycle, or what is
    /// pinned.
    pub(crate) fn wides(&self, interval: u64, pin: &Pin) -> Vec<Wide> {
        let beats = self.window.map_or(self.vectors, |(pixels, ..)| pixels);
        let takes = |pinned: Option<usize>, all: usize| self.image.is_some() || pinned.is_none_or(|p| p == all);
        let whole = pin.pe.is_none_or(|p| p == self.rows) && takes(pin.simd, self.cols) && takes(pin.reuse, 1);
        match pin.pixels {
            Some(p) if whole => self.all_wides().into_iter().filter(|w| w.windows == p).collect(),
            None if whole && beats as u64 > interval => self.all_wides(),
            _ => Vec::new(),
        }
    }

    /// Output pixels at once of a folding that takes `pixels` input pixels a beat.
    pub fn windows(&self, pixels: usize) -> usize {
        let wide = match self.image {
            Some((input, window)) => Wide::new(input, &window, pixels),
            None => Wide::vectors(self.vectors, pixels),
        };
        wide.map_or(1, |w| w.windows)
    }

    /// How many output pixels can be computed at once.
    pub fn pixel_choices(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.all_wides().iter().map(|w| w.windows).chain([1]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether one pixel at once is allowed.
    pub(crate) fn allows_one(&self, pin: &Pin) -> bool {
        pin.pixels.is_none_or(|p| p == 1)
    }

    /// Fewest inputs in parallel with which several pixels at once, of all outputs, are done in `interval` cycles, where any suffice.
    fn wide_simd(&self, wide: &Wide, interval: u64, pin: &Pin) -> usize {
        let simds = match (pin.simd, pin.reuse) {
            (Some(s), _) => vec![super::lower::lanes_within(self.cols, s)],
            (None, Some(r)) => vec![self.cols / super::lower::lanes_within(self.cols, r)],
            (None, None) => divisors(self.cols),
        };
        let simds: Vec<usize> = simds.into_iter().filter(|s| self.wide_takes(*s)).collect();
        let blocks = self.vectors / wide.windows;
        let fits = |s: &usize| (blocks * (self.cols / s)) as u64 <= interval;
        simds.iter().copied().find(fits).unwrap_or_else(|| simds.last().copied().unwrap_or(self.cols))
    }

    /// Whether several pixels at once can be computed with so many inputs in parallel: vectors come whole, windows in any parts.
    pub(crate) fn wide_takes(&self, simd: usize) -> bool {
        self.image.is_some() || simd == self.cols
    }

    /// As [`Work::fold`], with several pixels at once where one a cycle is too slow: outputs, inputs and input pixels in parallel.
    pub(crate) fn fold_wide(&self, interval: u64, pin: &Pin) -> ((usize, usize), Option<Wide>) {
        let wides = self.wides(interval, pin);
        let enough =
            wides.iter().find(|w| w.cycles() as u64 <= interval && self.vectors as u64 <= interval * w.windows as u64);
        match enough.or(wides.last()).copied() {
            Some(w) => ((self.rows, self.wide_simd(&w, interval, pin)), Some(w)),
            None => (self.fold(interval, pin), None),
        }
    }

    /// Multipliers of a folding.
    pub fn multipliers(&self, pe: usize, simd: usize) -> usize {
        pe * simd * self.factor
    }

    /// What is built where a kind of multiplier is asked for: channels of a depthwise layer share no inputs, so they share no blocks.
    pub fn built(&self, multiplier: Multiplier) -> Multiplier {
        if self.depthwise && multiplier.is_packed() { Multiplier::Dsp } else { multiplier }
    }

    /// The fewest multipliers with which a frame takes at most `interval` cycles; everything in parallel when none suffices.
    /// Ties go to the wider input.
    pub fn fold(&self, interval: u64, pin: &Pin) -> (usize, usize) {
        let wanted = |all: usize, pinned: Option<usize>| match pinned {
            Some(p) => vec![super::lower::lanes_within(all, p)],
            None => divisors(all),
        };
        if let Some(reuse) = pin.reuse.filter(|_| pin.pe.is_none() && pin.simd.is_none()) {
            return self.reused(reuse);
        }
        let mut best: Option<((usize, usize), (usize, usize))> = None;
        for &pe in &wanted(self.rows, pin.pe) {
            for &simd in &wanted(self.cols, pin.simd) {
                let window_ok = !self.depthwise
                    || self.window.is_none_or(|(pixels, channels, _)| (pixels * (channels / pe)) as u64 <= interval);
                if self.cycles(pe, simd) <= interval && window_ok {
                    let key = (self.multipliers(pe, simd), usize::MAX - simd);
                    if best.is_none_or(|(k, _)| key < k) {
                        best = Some((key, (pe, simd)));
                    }
                }
            }
        }
        best.map(|(_, f)| f).unwrap_or_else(|| {
            let all = |n: usize, pinned: Option<usize>| pinned.map_or(n, |p| super::lower::lanes_within(n, p));
            (all(self.rows, pin.pe), all(self.cols, pin.simd))
        })
    }

    /// The folding nearest to `reuse` multiplications a multiplier and vector.
    fn reused(&self, reuse: usize) -> (usize, usize) {
        let wanted = (reuse.max(1) as f64).ln();
        let mut best = (f64::INFINITY, usize::MAX, (1, 1));
        for &pe in &divisors(self.rows) {
            for &simd in &divisors(self.cols) {
                let got = ((self.rows / pe) * (self.cols / simd)) as f64;
                let key = ((got.ln() - wanted).abs(), usize::MAX - simd, (pe, simd));
                if (key.0, key.1) < (best.0, best.1) {
                    best = key;
                }
            }
        }
        best.2
    }
}

/// Width of signed weights.
fn bits_of(data: &[i64]) -> u32 {
    let lo = data.iter().copied().min().unwrap_or(0);
    let hi = data.iter().copied().max().unwrap_or(0);
    netfold_ir::quant::IntType::containing(lo, hi).bits
}

/// The balanced folding for a frame every `interval` cycles. `pins` are by layer name.
pub fn balanced(net: &IntNetwork, interval: u64, pins: &HashMap<String, Pin>, budget: Budget) -> Folding {
    let mut folding = Folding::undecided(net, interval);
    let mut dsp_left = budget.dsp;
    let mut work: Vec<(NodeId, Work)> = Vec::new();
    for id in net.graph.ids() {
        work.extend(Work::of(net, id).map(|w| (id, w)));
    }
    // The widest products get the DSP blocks first.
    work.sort_by_key(|(id, w)| (std::cmp::Reverse(w.bits.0 * w.bits.1), *id));
    for (id, w) in work {
        let node = net.graph.node(id);
        let pin = pins.get(&node.name).or_else(|| pins.get(&node.layer)).copied().unwrap_or_default();
        let ((pe, simd), wide) = w.fold_wide(interval, &pin);
        let depth = (w.rows / pe) * (w.cols / simd);
        let multipliers = w.multipliers(pe, simd) * wide.map_or(1, |w| w.windows);
        let worth = w.bits.0 >= 4 && w.bits.1 >= 4 && depth > 1;
        let free = if worth && multipliers <= dsp_left { Multiplier::Dsp } else { Multiplier::Lut };
        let multiplier = pin.multiplier.map_or(free, |m| w.built(m));
        if multiplier.is_dsp() {
            dsp_left = dsp_left.saturating_sub(multipliers);
        }
        let total_bits = w.rows * w.cols * w.factor * w.bits.0 as usize;
        let memory = pin.memory.unwrap_or(if depth == 1 {
            Memory::Logic
        } else if budget.block_memory && depth >= 64 && total_bits >= 8192 {
            Memory::Block
        } else {
            Memory::Lut
        });
        let window_lanes = w.window.map(|(pixels, channels, _)| {
            if w.depthwise {
                return pe;
            }
            if wide.is_some() {
                return channels;
            }
            let rate = (pixels * channels).div_ceil(usize::try_from(interval).unwrap_or(usize::MAX).max(1));
            super::lower::lanes_at_least(channels, rate)
        });
        let pixels = wide.map_or(1, |w| w.pixels);
        folding.layers.insert(id, Compute { pe, simd, window_lanes, early: 0, pixels, multiplier, memory });
    }
    for port in &net.inputs {
        let lanes = folding.source_lanes(net, port.node);
        folding.lanes.insert(port.node, lanes);
    }
    folding
}

impl Folding {
    /// A folding for a frame every `interval` cycles in which no layer is decided yet.
    pub fn undecided(net: &IntNetwork, interval: u64) -> Folding {
        let read = |id: NodeId| net.graph.inputs(id).iter().map(|i| net.graph.node(*i).elements()).max().unwrap_or(0);
        let reads = net.graph.ids().into_iter().map(|id| (id, read(id).max(net.graph.node(id).elements()))).collect();
        let (layers, lanes) = (FxHashMap::default(), FxHashMap::default());
        Folding { interval, layers, lanes, programs: Programs::default(), reads }
    }

    /// Folding of a multiplying layer.
    pub fn compute(&self, id: NodeId, rows: usize, cols: usize) -> Compute {
        let (multiplier, memory) = (Multiplier::Lut, Memory::Logic);
        let default = Compute { pe: rows, simd: cols, window_lanes: None, early: 0, pixels: 1, multiplier, memory };
        self.layers.get(&id).copied().unwrap_or(default)
    }

    /// Elements a beat that a frame of `elements` needs to pass within the interval.
    fn rate(&self, elements: usize) -> usize {
        elements.div_ceil(usize::try_from(self.interval).unwrap_or(usize::MAX).max(1)).max(1)
    }

    /// Elements a beat that a node needs to read and give a frame within the interval: all that the interval means for it.
    pub fn needed(&self, id: NodeId) -> usize {
        self.rate(self.reads.get(&id).copied().unwrap_or(0))
    }

    /// Elements a beat of a node of `elements`.
    pub fn lanes(&self, id: NodeId, elements: usize) -> usize {
        let chosen = self.lanes.get(&id).copied();
        super::lower::lanes_at_least(elements, chosen.unwrap_or_else(|| self.rate(elements)))
    }

    /// `lanes`, or more when the rate of the node needs it.
    pub fn lanes_or(&self, id: NodeId, lanes: usize) -> usize {
        lanes.max(self.needed(id))
    }

    /// A divisor of `n` near to `lanes` (not above where the rate allows it).
    pub fn dividing_lanes(&self, id: NodeId, n: usize, lanes: usize) -> usize {
        let need = self.needed(id);
        let near = super::lower::lanes_within(n, lanes);
        if near >= need { near } else { super::lower::lanes_at_least(n, need) }
    }

    /// Channels a beat of a unit that works channel by channel.
    pub fn channel_lanes(&self, id: NodeId, channels: usize, lanes: usize) -> usize {
        self.dividing_lanes(id, channels, lanes)
    }

    /// Several pixels a beat of a unit that works on windows channel by channel, where the rate needs more than one.
    pub(crate) fn wide(&self, id: NodeId, input: [usize; 3], window: &Window) -> Option<Wide> {
        let needed = self.needed(id);
        if needed <= input[2] {
            return None;
        }
        let all = Wide::all(input, window);
        all.iter().find(|w| w.pixels * input[2] >= needed).or(all.last()).copied()
    }

    /// Elements a beat of a join: the widest of its inputs, or more when the rate needs it.
    pub fn join_lanes(&self, id: NodeId, inputs: &[usize]) -> usize {
        let elements = self.reads.get(&id).copied().unwrap_or(1);
        let widest = inputs.iter().copied().max().unwrap_or(1);
        if widest >= self.rate(elements) { widest } else { super::lower::lanes_at_least(elements, self.rate(elements)) }
    }

    /// Elements a beat of an input: what its reader takes.
    fn source_lanes(&self, net: &IntNetwork, id: NodeId) -> usize {
        let elements = net.graph.node(id).elements();
        let readers = net.graph.consumers(id);
        let wanted = readers
            .iter()
            .filter_map(|(c, _)| {
                let f = self.layers.get(c)?;
                Some(f.pixels * f.window_lanes.unwrap_or(f.simd))
            })
            .max()
            .unwrap_or(1);
        super::lower::lanes_at_least(elements, wanted.max(self.rate(elements)))
    }
}

/// The smallest interval whose balanced folding uses at most `multipliers` multipliers in all.
pub fn fastest_within(net: &IntNetwork, multipliers: usize, pins: &HashMap<String, Pin>) -> u64 {
    let work: Vec<(Work, Pin)> = net
        .graph
        .ids()
        .into_iter()
        .filter_map(|id| {
            let node = net.graph.node(id);
            let pin = pins.get(&node.name).or_else(|| pins.get(&node.layer)).copied().unwrap_or_default();
            Work::of(net, id).map(|w| (w, pin))
        })
        .collect();
    let uses = |interval: u64| -> usize {
        work.iter()
            .map(|(w, pin)| {
                let ((pe, simd), wide) = w.fold_wide(interval, pin);
                w.multipliers(pe, simd) * wide.map_or(1, |w| w.windows)
            })
            .sum()
    };
    let slowest = work.iter().map(|(w, _)| w.cycles(1, 1)).max().unwrap_or(1).max(1);
    let (mut lo, mut hi) = (0, slowest);
    while hi - lo > 1 {
        let mid = lo + (hi - lo) / 2;
        if uses(mid) <= multipliers { hi = mid } else { lo = mid }
    }
    hi
}
