//! Prices of the folding optimizer, and estimates of many designs, from the model of netfold's own hardware.
//!
//! What the search adds up is a module's or FIFO's counted structure with its group's learned factors and trees
//! ([`HardwareModel::resources`]): that sum is what a folding is proved optimal for. Whole designs are answered by the whole
//! model, correction included, so that what the optimizer accepts is what `estimate` says.

use super::model::{DesignEstimate, HardwareModel};
use super::whole::{self, Part};
use super::{memory, module, unit};
use netfold_ir::hw::{Design, Kind, Matrix, Mvu, Realization, Stream, Vvu};
use netfold_ir::quant::IntType;
use netfold_passes::optimize::{CostModel, ModuleSpec, Resources};
use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

/// A part with its LUTs and flip-flops, and what it takes.
#[derive(Debug, Clone, Copy)]
struct Priced {
    part: Part,
    logic: (f32, f32),
    used: Resources,
}

/// Prices by a model. Modules and FIFOs are counted once; those of the same parameters (and the same weights, thresholds or tables)
/// are looked up.
#[derive(Debug)]
pub struct PriceList {
    model: Arc<HardwareModel>,
    modules: RwLock<FxHashMap<Key, (Held, Priced)>>,
    fifos: RwLock<FxHashMap<(usize, usize, IntType), Priced>>,
}

/// Kind and parameters of a module: numbers of which unused ones are zero.
type Key = [u64; 20];

/// Keeps the address of contents in a [`Key`] from being used again.
#[derive(Debug)]
enum Held {
    Nothing,
    Weights(#[allow(dead_code)] Weak<Matrix>),
    Function(#[allow(dead_code)] Weak<Realization>),
}

/// A type as a number.
fn ty(t: &IntType) -> u64 {
    u64::from(t.bits) | u64::from(t.signed) << 32 | u64::from(t.narrow) << 33
}

/// The key of a module; `None` for kinds that are counted anew each time.
fn key(kind: &Kind, inputs: &[IntType], outputs: &[IntType]) -> Option<Key> {
    if inputs.len() > 2 || outputs.len() > 2 {
        return None;
    }
    let mut key = [0; 20];
    let mut put = |numbers: &[usize]| {
        let (parameters, types) = key.split_at_mut(numbers.len());
        parameters.iter_mut().zip(numbers).for_each(|(k, n)| *k = *n as u64);
        (types[0], types[1]) = (inputs.len() as u64, outputs.len() as u64);
        types[2..].iter_mut().zip(inputs.iter().chain(outputs)).for_each(|(k, t)| *k = ty(t));
    };
    match kind {
        Kind::Mvu(Mvu { weights, pe, simd, vectors, early, pixels, multiplier, memory }) => {
            let at = Arc::as_ptr(weights) as usize;
            put(&[0, at, *pe, *simd, *vectors, *early, *pixels, *multiplier as usize, *memory as usize]);
        }
        Kind::Vvu(Vvu { weights, multiplicity, pe, simd, pixels, multiplier, memory }) => {
            let at = Arc::as_ptr(weights) as usize;
            put(&[1, at, *multiplicity, *pe, *simd, *pixels, *multiplier as usize, *memory as usize]);
        }
        Kind::Act { function, lanes, beats } => put(&[2, Arc::as_ptr(function) as usize, *lanes, *beats]),
        Kind::Dwc { from, to, elements } => put(&[3, *from, *to, *elements]),
        Kind::Source { lanes, beats } => put(&[4, *lanes, *beats]),
        Kind::Sink { lanes, beats } => put(&[5, *lanes, *beats]),
        Kind::Fork { outputs, lanes, beats } => put(&[6, *outputs, *lanes, *beats]),
        Kind::WindowReduce { op, taps, lanes, beats } => put(&[7, *op as usize, *taps, *lanes, *beats]),
        Kind::GlobalReduce { op, pixels, channels, lanes } => put(&[8, *op as usize, *pixels, *channels, *lanes]),
        Kind::VectorReduce { op, length, lanes, vectors } => put(&[9, *op as usize, *length, *lanes, *vectors]),
        Kind::ArgMax { last, length, lanes, vectors } => put(&[10, usize::from(*last), *length, *lanes, *vectors]),
        Kind::Broadcast { op, length, lanes, vectors } => put(&[11, *op as usize, *length, *lanes, *vectors]),
        Kind::Mul { multiplier, lanes, beats } => put(&[12, *multiplier as usize, *lanes, *beats]),
        Kind::Swu(_)
        | Kind::LinComb { .. }
        | Kind::Concat { .. }
        | Kind::Select { .. }
        | Kind::Reorder { .. }
        | Kind::Pad { .. }
        | Kind::Program(_)
        | Kind::Upsample { .. } => return None,
    }
    Some(key)
}

/// What keeps the address in the [`key`] of a module.
fn held(kind: &Kind) -> Held {
    if let Kind::Mvu(Mvu { weights, .. }) | Kind::Vvu(Vvu { weights, .. }) = kind {
        Held::Weights(Arc::downgrade(weights))
    } else if let Kind::Act { function, .. } = kind {
        Held::Function(Arc::downgrade(function))
    } else {
        Held::Nothing
    }
}

impl PriceList {
    /// Prices by `model`.
    pub fn new(model: Arc<HardwareModel>) -> PriceList {
        PriceList { model, modules: RwLock::default(), fifos: RwLock::default() }
    }

    /// The model.
    pub fn model(&self) -> &HardwareModel {
        &self.model
    }

    fn price(&self, part: Part) -> Priced {
        let logic = self.model.logic(&part);
        Priced { part, logic, used: self.model.with_logic(&part, logic) }
    }

    fn of_module(&self, kind: &Kind, inputs: &[IntType], outputs: &[IntType]) -> Priced {
        let count = || {
            let count = module(kind, inputs, outputs, &self.model.family.rule());
            self.price(Part { unit: unit(kind), count })
        };
        let Some(key) = key(kind, inputs, outputs) else { return count() };
        let known = self.modules.read().unwrap_or_else(PoisonError::into_inner).get(&key).map(|k| k.1);
        known.unwrap_or_else(|| {
            let price = count();
            self.modules.write().unwrap_or_else(PoisonError::into_inner).insert(key, (held(kind), price));
            price
        })
    }

    fn of_fifo(&self, stream: &Stream) -> Priced {
        let key = (stream.depth, stream.lanes, stream.ty);
        let known = self.fifos.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let price = self.price(Part { unit: "fifo", count: memory::fifo(stream, &self.model.family.rule()) });
            self.fifos.write().unwrap_or_else(PoisonError::into_inner).insert(key, price);
            price
        })
    }

    /// As [`HardwareModel::design`], with modules that were met before looked up.
    pub fn estimate(&self, design: &Design) -> DesignEstimate {
        let logic = std::cell::RefCell::new(Vec::new());
        let note = |priced: Priced| {
            logic.borrow_mut().push(priced.logic);
            priced.part
        };
        let parts = whole::parts_by(
            design,
            |kind, inputs, outputs| note(self.of_module(kind, inputs, outputs)),
            |stream| note(self.of_fifo(stream)),
        );
        let logic = logic.into_inner();
        DesignEstimate { prediction: self.model.whole_of(&parts, &logic), logic, parts }
    }
}

impl CostModel for PriceList {
    fn module(&self, m: &ModuleSpec<'_>) -> Resources {
        self.of_module(m.kind, m.inputs, m.outputs).used
    }

    fn fifo(&self, stream: &Stream) -> Resources {
        self.of_fifo(stream).used
    }

    fn whole(&self, design: &Design) -> Option<Resources> {
        Some(self.estimate(design).resources(&self.model))
    }
}
