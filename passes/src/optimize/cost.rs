//! What a module or a FIFO costs: the interface that estimators implement, and resource vectors.

use netfold_ir::hw::packing::WeightRange;
use netfold_ir::hw::{Design, Kind, Matrix, ModuleId, Mvu, Stream, Vvu, latency};
use netfold_ir::quant::IntType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Amounts of a device's resources, used or available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Lookup tables.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// Halves of a 36 Kb block RAM.
    pub bram18: u64,
    /// UltraRAM blocks.
    pub uram: u64,
}

/// Number of resources in [`Resources`].
pub const RESOURCES: usize = 5;

/// Names of the resources, in the order of [`Resources::array`].
pub const RESOURCE_NAMES: [&str; RESOURCES] = ["LUT", "FF", "DSP", "BRAM18", "URAM"];

impl Resources {
    /// No limit on anything.
    pub const UNLIMITED: Resources = Resources { lut: LOTS, ff: LOTS, dsp: LOTS, bram18: LOTS, uram: LOTS };

    /// As an array: LUT, FF, DSP, BRAM18, URAM.
    pub fn array(&self) -> [u64; RESOURCES] {
        [self.lut, self.ff, self.dsp, self.bram18, self.uram]
    }

    /// From the order of [`Resources::array`].
    pub fn from_array([lut, ff, dsp, bram18, uram]: [u64; RESOURCES]) -> Resources {
        Resources { lut, ff, dsp, bram18, uram }
    }

    /// 36 Kb block RAMs.
    pub fn bram36(&self) -> f64 {
        self.bram18 as f64 / 2.0
    }

    /// Combines two vectors resource by resource.
    #[must_use]
    pub fn zip(&self, other: &Resources, f: impl Fn(u64, u64) -> u64) -> Resources {
        let (a, b) = (self.array(), other.array());
        Resources::from_array(std::array::from_fn(|i| f(a[i], b[i])))
    }

    /// Whether nothing exceeds `limits`.
    pub fn within(&self, limits: &Resources) -> bool {
        self.array().iter().zip(limits.array()).all(|(a, l)| *a <= l)
    }

    /// The given share of every resource, rounded down; unlimited ones stay so. `share` lies in 0..=1.
    #[must_use]
    pub fn share(&self, share: f64) -> Resources {
        let part = |v: u64| if v >= LOTS { v } else { (v as f64 * share.clamp(0.0, 1.0)).floor() as u64 };
        Resources::from_array(self.array().map(part))
    }
}

/// Stands for no limit; far from overflow in sums.
const LOTS: u64 = 1 << 40;

impl std::ops::Add for Resources {
    type Output = Resources;

    fn add(self, other: Resources) -> Resources {
        self.zip(&other, |a, b| a + b)
    }
}

impl std::iter::Sum for Resources {
    fn sum<I: Iterator<Item = Resources>>(iter: I) -> Resources {
        iter.fold(Resources::default(), |a, b| a + b)
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} LUT, {} FF, {} DSP, {} BRAM36, {} URAM", self.lut, self.ff, self.dsp, self.bram36(), self.uram)
    }
}

/// What prices need to know of a weight matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WeightStats {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Bits of a weight as stored.
    pub bits: u32,
    /// Whether every weight is -1 or +1.
    pub bipolar: bool,
    /// Weights other than zero.
    pub nonzero: usize,
    /// Non-zero digits of all weights in canonical signed-digit form.
    pub digits: usize,
    /// What packed products need to know.
    pub range: WeightRange,
}

impl WeightStats {
    /// Counts a matrix.
    pub fn of(m: &Matrix) -> WeightStats {
        let bipolar = m.is_bipolar();
        WeightStats {
            rows: m.rows,
            cols: m.cols,
            bits: if bipolar { 1 } else { m.weight_bits() },
            bipolar,
            nonzero: m.data.iter().filter(|w| **w != 0).count(),
            digits: m.data.iter().map(|w| latency::signed_digits(*w) as usize).sum(),
            range: WeightRange::of(m),
        }
    }
}

/// A module with the element types of its ports.
#[derive(Debug, Clone, Copy)]
pub struct ModuleSpec<'a> {
    /// What it is, with all of its parameters.
    pub kind: &'a Kind,
    /// Element type of every input, by port.
    pub inputs: &'a [IntType],
    /// Element type of every output, by port.
    pub outputs: &'a [IntType],
    /// Of units with weights.
    pub weights: Option<WeightStats>,
}

/// Prices modules and FIFOs. Prices must not depend on anything but the arguments.
pub trait CostModel: Sync {
    /// What a module uses.
    fn module(&self, module: &ModuleSpec<'_>) -> Resources;

    /// What the FIFO of a stream uses.
    fn fifo(&self, stream: &Stream) -> Resources;

    /// What a whole design uses, by an estimator that knows more of it than the sum of its modules and FIFOs. Searches are optimal for
    /// that sum; whether a design fits is decided by this.
    fn whole(&self, _design: &Design) -> Option<Resources> {
        None
    }
}

/// Weight matrix of a kind that has one.
pub fn weights_of(kind: &Kind) -> Option<&Matrix> {
    match kind {
        Kind::Mvu(Mvu { weights, .. }) | Kind::Vvu(Vvu { weights, .. }) => Some(weights),
        _ => None,
    }
}

/// Price of one module of a design, without its FIFOs.
pub fn module_cost(design: &Design, id: ModuleId, model: &dyn CostModel) -> Resources {
    let inputs: Vec<IntType> = design.inputs_of(id).iter().map(|(_, s)| s.ty).collect();
    let outputs: Vec<IntType> = design.outputs_of(id).iter().map(|(_, s)| s.ty).collect();
    let kind = &design.module(id).kind;
    let weights = weights_of(kind).map(WeightStats::of);
    model.module(&ModuleSpec { kind, inputs: &inputs, outputs: &outputs, weights })
}

/// Price of a whole design: [`CostModel::whole`], or else the sum of its modules and FIFOs.
pub fn design_cost(design: &Design, model: &dyn CostModel) -> Resources {
    if let Some(whole) = model.whole(design) {
        return whole;
    }
    let modules: Resources = design.modules().into_iter().map(|id| module_cost(design, id, model)).sum();
    let fifos: Resources = design.streams().iter().map(|(_, _, s)| model.fifo(s)).sum();
    modules + fifos
}

/// Exchange rates between resources: the one number by which areas are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices([u64; RESOURCES]);

impl Prices {
    /// The area of all of one resource of a device.
    pub const DEVICE: f64 = 1e9;

    /// Each resource weighs as the share of the device that it takes; what the device does not have weighs nothing (and its
    /// limit is zero). In units of 1e-9 of the device.
    pub fn of_device(available: &Resources) -> Prices {
        Prices(available.array().map(|n| match n {
            0 => 0,
            n if n >= LOTS => 1,
            n => (1_000_000_000 / n).max(1),
        }))
    }

    /// Without a device: those of an average 7-series one, 240 LUT a DSP block and 190 a block RAM of 18 Kb.
    pub fn generic() -> Prices {
        Prices::of_device(&Resources { lut: 53_200, ff: 106_400, dsp: 220, bram18: 280, uram: 100 })
    }

    /// Area of a resource vector.
    pub fn area(&self, r: &Resources) -> u64 {
        r.array().iter().zip(self.0).map(|(n, p)| n.saturating_mul(p)).fold(0, u64::saturating_add)
    }
}
