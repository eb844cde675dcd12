//! Softmax as integer operators: subtract from the maximum, table of exponentials, sum, table of reciprocals, product.
//!
//! With logits `x_i` and the maximum `m`: `e_i = round(2^F * exp(-(m - x_i)))`, `S = sum e_i`, `r = round(2^R / S')` with `S'`
//! the sum rounded to the index of the reciprocal table, and the result is `e_i * r` in units of `2^-R`, quantized.
//! `docs/numerics.md` gives the error bounds.

use super::value::Value;
use super::{Context, node_last};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{BroadcastOp, ReduceOp};
use netfold_ir::int::{IntOp, StepFn};
use netfold_ir::net::{Affine, Softmax, UnaryFn};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::Zero;

/// Fraction bits of the exponentials.
pub const EXP_FRACTION_BITS: i32 = 16;
/// Finest grid of logits, in fraction bits.
pub const LOGIT_FRACTION_BITS: i32 = 12;
/// Entries of the reciprocal table, at most.
pub const RECIPROCAL_ENTRIES: u64 = 4096;
/// Most different differences to the maximum that are told apart.
const EXP_ENTRIES: i64 = 1 << 16;
/// Most entries of one table of exponentials; with more, two tables are multiplied.
const EXP_TABLE: i64 = 1 << 10;
/// Low bits of the difference that get a table of their own.
const LOW_BITS: u32 = 8;

impl Context<'_> {
    /// Softmax along the last axis.
    pub(super) fn softmax(&mut self, id: NodeId, name: &str, s: Softmax) -> Result<Value, Diag> {
        if s.log {
            return Err(Diag::new(Code::Unsupported, name, "LogSoftmax in hardware")
                .help("end the network with Softmax or with the logits"));
        }
        let shape = self.net.shape(id).to_vec();
        let x = self.input(id, 0)?;
        let mut x = self.settled(name, x)?;
        let length = node_last(&x);
        let single = x.elements() == length;
        let order = if single { x.order.take() } else { None };
        let x = self.rounded_logits(name, x)?;
        let mut x = self.comparable(name, x)?;
        if x.real.offset.iter().any(|o| !o.is_zero()) {
            // A common offset cancels in the difference.
            x.real.offset = vec![Rat::zero()];
        }
        let scale = x.real.scale[0].clone();
        let x_node = x.node()?;
        let plain = |scale: Rat| Affine { scale: vec![scale], offset: vec![Rat::zero()] };
        let add = |cx: &mut Self, what: &str, op, inputs: &[NodeId], real| {
            cx.int.add(&format!("{name}_{what}"), name, op, inputs, real)
        };
        let max = add(self, "max", IntOp::VectorReduce { op: ReduceOp::Max, length }, &[x_node], plain(scale.clone()))?;
        let difference = IntOp::Broadcast { op: BroadcastOp::RSub, length };
        let d = add(self, "difference", difference, &[x_node, max], plain(scale.clone()))?;
        let d = self.limited_difference(name, d, &scale)?;
        let d_scale = self.int.graph.node(d).real.scale[0].clone();
        let e = self.exponential(name, d, &d_scale)?;
        let sum_op = IntOp::VectorReduce { op: ReduceOp::Sum, length };
        let sum = add(self, "sum", sum_op, &[e], plain(rat::pow2(-EXP_FRACTION_BITS)))?;
        let (reciprocal, fraction) = self.reciprocal(name, sum, length)?;
        let unit = rat::pow2(-EXP_FRACTION_BITS - fraction);
        let product = IntOp::Broadcast { op: BroadcastOp::Mul, length };
        let y = add(self, "product", product, &[e, reciprocal], plain(unit))?;
        let mut out = self.integer(y, shape);
        out.order = order;
        Ok(out)
    }

    /// Logits with one scale for all, not finer than 2^-12: exact where they are coarser already, otherwise rounded, never clipped.
    fn rounded_logits(&mut self, name: &str, x: Value) -> Result<Value, Diag> {
        let finest = rat::pow2(-LOGIT_FRACTION_BITS);
        let uniform = x.real.channels() == 1 && x.real.scale[0] >= finest;
        if uniform || x.real.scale.iter().all(|s| s == &x.real.scale[0] && *s >= finest) && x.real.offset.len() == 1 {
            return Ok(x);
        }
        let node = self.int.graph.node(x.node()?);
        let n = num_integer::lcm(x.real.channels(), node.range.0.len());
        let (mut lo, mut hi) = (i64::MAX, i64::MIN);
        for c in 0..n {
            let (a, b) = node.range.of(c);
            for q in [a, b] {
                let v = (x.real.scale_of(c) * rat::from_i64(q) + x.real.offset_of(c)) / &finest;
                lo = lo.min(rat::floor_i64(&v));
                hi = hi.max(rat::floor_i64(&v).saturating_add(1));
            }
        }
        let ty = IntType::containing(lo.min(-1), hi);
        if ty.bits > 40 {
            return Err(Diag::new(Code::Unsupported, name, "its logits reach beyond 2^27")
                .help("quantize the input of the softmax"));
        }
        let quantizer = Quantizer { ty, rounding: Rounding::HalfUp, ..unsigned(1, finest) };
        self.quantized(&format!("{name}_logits"), x, quantizer)
    }

    /// `round(2^F * exp(-d))` for differences `d` of step `scale`: one table, or the rounded product of a table for the low bits and one
    /// for the others.
    fn exponential(&mut self, name: &str, d: NodeId, scale: &Rat) -> Result<NodeId, Diag> {
        let plain = |scale: Rat| Affine { scale: vec![scale], offset: vec![Rat::zero()] };
        let table = |step: &Rat, bits: i32| {
            IntOp::Step(StepFn {
                input: plain(-step.clone()),
                functions: vec![UnaryFn::Exp],
                quantizer: unsigned(bits as u32 + 1, rat::pow2(-bits)),
            })
        };
        let (_, hi) = self.int.graph.node(d).range.hull();
        let unit = plain(rat::pow2(-EXP_FRACTION_BITS));
        if hi < EXP_TABLE {
            return self.int.add(&format!("{name}_exp"), name, table(scale, EXP_FRACTION_BITS), &[d], unit);
        }
        let coarse = scale * rat::from_i64(1 << LOW_BITS);
        let split = |quantizer| IntOp::Step(StepFn { input: plain(scale.clone()), functions: Vec::new(), quantizer });
        let low = Quantizer { overflow: Overflow::Wrap, ..unsigned(LOW_BITS, scale.clone()) };
        let high_bits = IntType::containing(0, hi >> LOW_BITS).bits;
        let high = Quantizer { rounding: Rounding::Floor, ..unsigned(high_bits, coarse.clone()) };
        let low = self.int.add(&format!("{name}_low"), name, split(low), &[d], plain(scale.clone()))?;
        let high = self.int.add(&format!("{name}_high"), name, split(high), &[d], plain(coarse.clone()))?;
        let bits = EXP_FRACTION_BITS + 1;
        let real = plain(rat::pow2(-bits));
        let low = self.int.add(&format!("{name}_exp_low"), name, table(scale, bits), &[low], real.clone())?;
        let high = self.int.add(&format!("{name}_exp_high"), name, table(&coarse, bits), &[high], real)?;
        let product = plain(rat::pow2(-2 * bits));
        let both = self.int.add(&format!("{name}_exp_product"), name, IntOp::Mul, &[low, high], product.clone())?;
        let round = StepFn {
            input: product,
            functions: Vec::new(),
            quantizer: unsigned(EXP_FRACTION_BITS as u32 + 1, rat::pow2(-EXP_FRACTION_BITS)),
        };
        self.int.add(&format!("{name}_exp"), name, IntOp::Step(round), &[both], unit)
    }

    /// The difference to the maximum, made coarser while its table would be too large, and cut off where exp rounds to zero.
    fn limited_difference(&mut self, name: &str, d: NodeId, scale: &Rat) -> Result<NodeId, Diag> {
        let (_, hi) = self.int.graph.node(d).range.hull();
        // exp(-x) rounds to zero from here on.
        let reach = f64::from(EXP_FRACTION_BITS + 1) * std::f64::consts::LN_2;
        let needed = (reach / rat::to_f64(scale)).ceil().min(1e15) as i64;
        let mut step = scale.clone();
        let mut entries = needed.min(hi);
        while entries >= EXP_ENTRIES {
            step *= rat::from_i64(2);
            entries = (reach / rat::to_f64(&step)).ceil() as i64;
        }
        if step == *scale && hi <= entries {
            return Ok(d);
        }
        let bits = IntType::containing(0, entries).bits;
        let clip = StepFn {
            input: Affine { scale: vec![scale.clone()], offset: vec![Rat::zero()] },
            functions: Vec::new(),
            quantizer: Quantizer { rounding: Rounding::HalfUp, ..unsigned(bits, step.clone()) },
        };
        let real = Affine { scale: vec![step], offset: vec![Rat::zero()] };
        self.int.add(&format!("{name}_limit"), name, IntOp::Step(clip), &[d], real)
    }

    /// `2^fraction / sum` for sums of exponentials, which lie between 1 and `length`; and its number of fraction bits.
    fn reciprocal(&mut self, name: &str, sum: NodeId, length: usize) -> Result<(NodeId, i32), Diag> {
        // Index: sum in units of 2^-t, so that there are at most RECIPROCAL_ENTRIES of them (never fewer than 16 a unit).
        let mut t = EXP_FRACTION_BITS;
        while t > 4 && (length as u64) << t > RECIPROCAL_ENTRIES {
            t -= 1;
        }
        let bits = IntType::containing(0, (length as i64) << t).bits;
        let index = StepFn {
            input: Affine { scale: vec![rat::pow2(-EXP_FRACTION_BITS)], offset: vec![Rat::zero()] },
            functions: Vec::new(),
            quantizer: Quantizer { rounding: Rounding::HalfUp, ..unsigned(bits, rat::pow2(-t)) },
        };
        let real = Affine { scale: vec![rat::pow2(-t)], offset: vec![Rat::zero()] };
        let index = self.int.add(&format!("{name}_index"), name, IntOp::Step(index), &[sum], real.clone())?;
        let fraction = EXP_FRACTION_BITS + 1;
        let reciprocal = StepFn {
            input: real,
            functions: vec![UnaryFn::Clip(vec![1.0], vec![f64::INFINITY]), UnaryFn::Reciprocal],
            quantizer: unsigned(fraction as u32 + 1, rat::pow2(-fraction)),
        };
        let real = Affine { scale: vec![rat::pow2(-fraction)], offset: vec![Rat::zero()] };
        let node = self.int.add(&format!("{name}_reciprocal"), name, IntOp::Step(reciprocal), &[index], real)?;
        Ok((node, fraction))
    }
}

/// An unsigned saturating quantizer rounding to nearest even.
fn unsigned(bits: u32, scale: Rat) -> Quantizer {
    Quantizer {
        scale: vec![scale],
        zero_point: vec![Rat::zero()],
        ty: IntType::new(false, bits),
        rounding: Rounding::HalfEven,
        overflow: Overflow::Saturate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_traits::One;

    #[test]
    fn quantizer_holds_one() {
        assert_eq!(unsigned(17, rat::pow2(-16)).quantize(0, &Rat::one()), 1 << 16);
    }
}
