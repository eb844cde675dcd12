//! A fused region as a program: every element of its tensors is a weighted sum of the program's values, and sums become values
//! only where something other than a sum reads them. So constants, batch-wide additions and paddings vanish into the sums behind.

use super::region::{Region, Source};
use super::step::{Form, form};
use crate::lower::Realizations;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::ReduceOp;
use netfold_ir::hw::program::{Interval, Overflow, Quantizer, Rounding};
use netfold_ir::int::{IntConv, IntNetwork, IntOp, Range};
use netfold_ir::net::Window;
use netfold_shiftadd::{InputSpec, ProgramBuilder, ProgramError, Steps, Value};
use std::collections::HashMap;

/// Terms of all positions of a tensor up to which they are solved at once, so that positions share sums.
const SHARED_TERMS: usize = 6_000;

/// Inputs of a lookup table.
const LUT_INPUTS: u32 = 6;

/// A weighted sum of values and a constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Expr {
    terms: Vec<(Value, i64)>,
    constant: i64,
}

impl Expr {
    fn constant(constant: i64) -> Expr {
        Expr { terms: Vec::new(), constant }
    }

    fn value(v: Value) -> Expr {
        Expr { terms: vec![(v, 1)], constant: 0 }
    }

    /// Adds `factor` times another sum.
    fn add(&mut self, other: &Expr, factor: i64) {
        self.constant += other.constant * factor;
        if self.terms.is_empty() {
            self.terms = other.terms.iter().filter(|_| factor != 0).map(|(v, w)| (*v, w * factor)).collect();
            return;
        }
        for &(v, w) in &other.terms {
            match self.terms.iter_mut().find(|t| t.0 == v) {
                Some(t) => t.1 += w * factor,
                None => self.terms.push((v, w * factor)),
            }
        }
        self.terms.retain(|t| t.1 != 0);
    }

    /// Whether a product with weights costs no more than one with a value.
    fn is_simple(&self) -> bool {
        match self.terms.as_slice() {
            [] => true,
            [(_, w)] => w.unsigned_abs().is_power_of_two(),
            _ => false,
        }
    }
}

/// The program of a region under construction.
pub(super) struct Elements<'a> {
    net: &'a IntNetwork,
    realizations: &'a Realizations,
    builder: ProgramBuilder,
    tensors: HashMap<NodeId, Vec<Expr>>,
    beats: usize,
    /// Positions whose sums may be solved apart: pixels of the operator being added.
    positions: usize,
    /// Of the operator being added, for errors.
    layer: String,
}

/// The program of a region.
///
/// # Errors
/// [`Code::Unsupported`] for sums wider than the solver takes; internal errors.
pub(super) fn program(net: &IntNetwork, realizations: &Realizations, region: &Region) -> Result<ProgramBuilder, Diag> {
    let mut e = Elements {
        net,
        realizations,
        builder: ProgramBuilder::new(),
        tensors: HashMap::new(),
        beats: region.beats,
        positions: 1,
        layer: String::new(),
    };
    let mut windows: HashMap<NodeId, Vec<Expr>> = HashMap::new();
    for source in &region.inputs {
        match *source {
            Source::Tensor(id) => {
                let n = net.graph.node(id).elements() / region.beats;
                let ranges: Vec<(i64, i64)> = (0..n).map(|i| e.known(id, i)).collect();
                let x = e.inputs(n, |i| ranges[i]);
                e.tensors.insert(id, x);
            }
            Source::Windows(conv) => {
                let x = e.window_inputs(conv)?;
                windows.insert(conv, x);
            }
        }
    }
    for &id in &region.nodes {
        let node = net.graph.node(id);
        e.layer.clone_from(&node.name);
        let pixels = node.elements() / node.shape.last().copied().unwrap_or(1).max(1);
        e.positions = (pixels / region.beats).max(1);
        let y = match windows.remove(&id) {
            Some(taps) => e.kernel(id, &taps)?,
            None => e.operator(id)?,
        };
        let readers = net.graph.consumers(id).len() + usize::from(region.outputs.contains(&id));
        let several = readers > 1;
        let y = if several { e.plain(y)? } else { y };
        e.tensors.insert(id, y);
    }
    for id in &region.outputs {
        e.positions = 1;
        let y = e.tensors.get(id).cloned().unwrap_or_default();
        let all = e.values(&y)?;
        all.into_iter().for_each(|v| e.builder.output(v));
    }
    Ok(e.builder)
}

impl Elements<'_> {
    fn failed(&self, error: &ProgramError) -> Diag {
        let error = match error {
            ProgramError::TooWide { .. } => {
                return Diag::new(
                    Code::Unsupported,
                    &self.layer,
                    "a sum of this layer needs more than 48 bits unrolled",
                )
                .help("give this layer the style stream, or its inputs and weights a lower precision");
            }
            other => other.to_string(),
        };
        Diag::internal(&self.layer, error)
    }

    fn inputs(&mut self, n: usize, range: impl Fn(usize) -> (i64, i64)) -> Vec<Expr> {
        (0..n)
            .map(|i| {
                let (lo, hi) = range(i);
                Expr::value(self.builder.input(InputSpec { range: Interval { lo, hi }, zeros: 0 }))
            })
            .collect()
    }

    /// Elements of one window: `[tap][channel]`, padding included in the intervals.
    fn window_inputs(&mut self, conv: NodeId) -> Result<Vec<Expr>, Diag> {
        let node = self.net.graph.node(conv);
        let IntOp::Conv(c) = &node.op else { return Err(Diag::internal(&node.name, "windows of no convolution")) };
        let x = self.net.graph.node(self.net.graph.inputs(conv)[0]);
        let (channels, padded) = (c.input[2], c.window.pads != [0; 4]);
        let taps = c.window.kernel[0] * c.window.kernel[1];
        let range = |i: usize| {
            let channel = i % channels;
            let (mut lo, mut hi) = channel_range(&x.range, channel, channels);
            if padded {
                let p = c.pad[channel % c.pad.len()];
                (lo, hi) = (lo.min(p), hi.max(p));
            }
            (lo, hi)
        };
        Ok(self.inputs(taps * channels, range))
    }

    /// The exact interval of a sum.
    fn range(&self, e: &Expr) -> Interval {
        e.terms.iter().fold(Interval::point(e.constant), |r, (v, w)| {
            let s = self.builder.spec(*v).range;
            r.sum(&Interval::new(s.lo * w, s.hi * w))
        })
    }

    /// The exact interval of element `i` of a beat of a tensor.
    fn known(&self, id: NodeId, i: usize) -> (i64, i64) {
        let node = self.net.graph.node(id);
        if self.beats == 1 { node.range.of(i) } else { channel_range(&node.range, i, node.elements() / self.beats) }
    }

    /// Values of sums: those that are not yet values are solved together, or position by position where they are many.
    fn values(&mut self, x: &[Expr]) -> Result<Vec<Value>, Diag> {
        let terms: usize = x.iter().map(|e| e.terms.len()).sum();
        if terms <= SHARED_TERMS || self.positions == 1 || !x.len().is_multiple_of(self.positions) {
            return self.solved(x);
        }
        let mut out = Vec::with_capacity(x.len());
        for position in x.chunks(x.len() / self.positions) {
            out.extend(self.solved(position)?);
        }
        Ok(out)
    }

    /// Values of sums that are solved together.
    fn solved(&mut self, x: &[Expr]) -> Result<Vec<Value>, Diag> {
        let mut made: HashMap<&Expr, usize> = HashMap::new();
        let (mut rows, mut bias) = (Vec::new(), Vec::new());
        for e in x {
            let is_value = matches!(e.terms.as_slice(), [(_, 1)]) && e.constant == 0;
            if !is_value && !e.terms.is_empty() && !made.contains_key(e) {
                made.insert(e, rows.len());
                rows.push(e.terms.clone());
                bias.push(e.constant);
            }
        }
        let sums = if rows.is_empty() {
            Vec::new()
        } else {
            self.builder.sums(&rows, &bias).map_err(|error| self.failed(&error))?
        };
        Ok(x.iter()
            .map(|e| match (made.get(e), e.terms.first()) {
                (Some(&k), _) => sums[k],
                (None, Some((v, _))) => *v,
                (None, None) => self.builder.constant(e.constant),
            })
            .collect())
    }

    /// The same sums, each as a value.
    fn plain(&mut self, x: Vec<Expr>) -> Result<Vec<Expr>, Diag> {
        Ok(self.values(&x)?.into_iter().map(Expr::value).collect())
    }

    /// The same sums, those that weights cannot be multiplied into as values.
    fn simple(&mut self, x: Vec<Expr>) -> Result<Vec<Expr>, Diag> {
        let wanted: Vec<Expr> = x.iter().filter(|e| !e.is_simple()).cloned().collect();
        let mut made = self.values(&wanted)?.into_iter();
        let mut out = x;
        for e in out.iter_mut().filter(|e| !e.is_simple()) {
            if let Some(v) = made.next() {
                *e = Expr::value(v);
            }
        }
        Ok(out)
    }

    fn quantize(&mut self, v: Value, q: Quantizer) -> Result<Value, Diag> {
        self.builder.quantize(v, q).map_err(|error| self.failed(&error))
    }

    /// An operand of a node, in beats of the region.
    fn operand(&self, id: NodeId, port: usize) -> Result<Vec<Expr>, Diag> {
        let from = self.net.graph.inputs(id)[port];
        let missing = || Diag::internal(&self.net.graph.node(id).name, "an operand outside of the region");
        self.tensors.get(&from).cloned().ok_or_else(missing)
    }

    /// One operator.
    fn operator(&mut self, id: NodeId) -> Result<Vec<Expr>, Diag> {
        let node = self.net.graph.node(id);
        let x = self.operand(id, 0)?;
        Ok(match &node.op {
            IntOp::Dense(w) => {
                let x = self.simple(x)?;
                let rows = |v: &[Expr]| -> Vec<Expr> {
                    (0..w.rows).map(|r| weighted(w.row(r).iter().copied().zip(v))).collect()
                };
                x.chunks(w.cols).flat_map(rows).collect()
            }
            IntOp::Conv(c) => {
                let x = self.simple(x)?;
                if self.beats > 1 { self.kernel(id, &x)? } else { self.convolution(id, c, &x)? }
            }
            IntOp::Step(_) => self.step(id, x)?,
            IntOp::LinComb { coefficients, constant } => {
                let all: Vec<Vec<Expr>> =
                    (0..coefficients.len()).map(|port| self.operand(id, port)).collect::<Result<_, _>>()?;
                (0..x.len())
                    .map(|i| {
                        let mut y = Expr::constant(constant[i % constant.len()]);
                        all.iter().zip(coefficients).for_each(|(x, k)| y.add(&x[i], k[i % k.len()]));
                        y
                    })
                    .collect()
            }
            IntOp::Pool { op, input, window, pad } => {
                let x = if *op == ReduceOp::Max { self.plain(x)? } else { x };
                let mut sets = Vec::new();
                let channels = input[2];
                gather(*input, window, &node.shape, |taps| {
                    for c in 0..channels {
                        let own = taps.iter().filter_map(|t| t.map(|p| x[p * channels + c].clone()));
                        let mut own: Vec<Expr> = own.collect();
                        if *op == ReduceOp::Sum {
                            let missing = taps.iter().filter(|t| t.is_none()).count() as i64;
                            own.push(Expr::constant(missing * pad[c % pad.len()]));
                        }
                        sets.push(own);
                    }
                });
                self.reduce(*op, sets)?
            }
            IntOp::GlobalReduce { op, channels } => {
                let x = if *op == ReduceOp::Max { self.plain(x)? } else { x };
                let sets = (0..*channels).map(|c| x.iter().skip(c).step_by(*channels).cloned().collect()).collect();
                self.reduce(*op, sets)?
            }
            IntOp::Concat { axis, shapes } => {
                let inner: usize = shapes[0][axis + 1..].iter().product();
                let all: Vec<Vec<Expr>> =
                    (0..shapes.len()).map(|port| self.operand(id, port)).collect::<Result<_, _>>()?;
                let sizes: Vec<usize> = shapes.iter().map(|s| s[*axis] * inner).collect();
                let outer = all[0].len() / sizes[0];
                let round = |o: usize| all.iter().zip(&sizes).flat_map(move |(x, n)| x[o * n..(o + 1) * n].to_vec());
                (0..outer).flat_map(round).collect()
            }
            IntOp::Slice { outer, size, inner, start, count, step, .. } => {
                let outer = outer.div_ceil(self.beats);
                let kept = |o: usize| (0..*count).map(move |k| (o * size + start + k * step) * inner);
                (0..outer).flat_map(kept).flat_map(|at| x[at..at + inner].to_vec()).collect()
            }
            IntOp::Permute { order, .. } => order.iter().map(|o| x[*o as usize].clone()).collect(),
            IntOp::Pad { input: [h, w, c], pads, value } => {
                let (height, width) = (h + pads[0] + pads[2], w + pads[1] + pads[3]);
                let mut out: Vec<Expr> =
                    (0..height * width * c).map(|i| Expr::constant(value[i % c % value.len()])).collect();
                for y in 0..*h {
                    let at = ((y + pads[0]) * width + pads[1]) * c;
                    out[at..at + w * c].clone_from_slice(&x[y * w * c..(y + 1) * w * c]);
                }
                out
            }
            IntOp::Upsample { input: [_, w, c], factors } => {
                let width = w * factors[1];
                let pixels = x.len() / c * factors[0] * factors[1];
                let from = |p: usize| (p / width / factors[0]) * w + p % width / factors[1];
                (0..pixels).flat_map(|p| x[from(p) * c..(from(p) + 1) * c].to_vec()).collect()
            }
            IntOp::Input | IntOp::Mul | IntOp::VectorReduce { .. } | IntOp::ArgMax { .. } | IntOp::Broadcast { .. } => {
                return Err(Diag::internal(&node.name, "an operator that no program has"));
            }
        })
    }

    /// Rows of a convolution on the taps of one window.
    fn kernel(&mut self, id: NodeId, taps: &[Expr]) -> Result<Vec<Expr>, Diag> {
        let node = self.net.graph.node(id);
        let IntOp::Conv(c) = &node.op else { return Err(Diag::internal(&node.name, "windows of no convolution")) };
        let channels = c.input[2];
        let at = |tap: usize, channel: usize| taps[tap * channels + channel].clone();
        Ok((0..c.weights.rows).map(|r| filter(c, r, at)).collect())
    }

    /// All positions of a convolution.
    fn convolution(&mut self, id: NodeId, c: &IntConv, x: &[Expr]) -> Result<Vec<Expr>, Diag> {
        let node = self.net.graph.node(id);
        let channels = c.input[2];
        let mut out = Vec::new();
        gather(c.input, &c.window, &node.shape, |taps| {
            let at = |tap: usize, channel: usize| match taps[tap] {
                Some(p) => x[p * channels + channel].clone(),
                None => Expr::constant(c.pad[channel % c.pad.len()]),
            };
            out.extend((0..c.weights.rows).map(|r| filter(c, r, at)));
        });
        Ok(out)
    }

    /// Sums, or largest elements, of sets.
    fn reduce(&mut self, op: ReduceOp, sets: Vec<Vec<Expr>>) -> Result<Vec<Expr>, Diag> {
        if op == ReduceOp::Sum {
            return Ok(sets.iter().map(|s| weighted(s.iter().map(|e| (1, e)))).collect());
        }
        let mut out = Vec::with_capacity(sets.len());
        for set in sets {
            let mut open = self.values(&set)?;
            let width: u32 = open.iter().map(|v| self.builder.spec(*v).range.width()).sum();
            if open.len() > 2 && width <= LUT_INPUTS {
                let largest = |x: &[i64]| x.iter().copied().max().unwrap_or(0);
                let v = self.builder.table(&open, largest).map_err(|error| self.failed(&error))?;
                open = vec![v];
            }
            while open.len() > 1 {
                let pair = |p: &[Value]| if let [a, b] = *p { self.builder.max(a, b) } else { p[0] };
                open = open.chunks(2).map(pair).collect();
            }
            out.extend(open.first().map(|v| Expr::value(*v)));
        }
        Ok(out)
    }

    /// A step function.
    fn step(&mut self, id: NodeId, x: Vec<Expr>) -> Result<Vec<Expr>, Diag> {
        let node = self.net.graph.node(id);
        let from = self.net.graph.inputs(id)[0];
        let lost = || Diag::internal(&node.name, "a step function that no program has");
        let realized = self.realizations.get(&id).ok_or_else(lost)?;
        let forms: Option<Vec<Form>> = (0..x.len()).map(|i| form(realized, i, self.known(from, i))).collect();
        let y = self.apply(x, &forms.ok_or_else(lost)?)?;
        // Several parts of a result depend on each other, which their intervals do not tell.
        let known = |i: usize| Interval { lo: self.known(id, i).0, hi: self.known(id, i).1 };
        let wide: Vec<Option<Interval>> = y
            .iter()
            .enumerate()
            .map(|(i, e)| {
                let (have, known) = (self.range(e), known(i));
                (have.lo < known.lo || have.hi > known.hi).then_some(known)
            })
            .collect();
        let sums: Vec<Expr> = y.iter().zip(&wide).filter(|(_, w)| w.is_some()).map(|(e, _)| e.clone()).collect();
        let mut made = self.values(&sums)?.into_iter();
        let mut out = Vec::with_capacity(y.len());
        for (e, wide) in y.into_iter().zip(wide) {
            let made = wide.and_then(|range| made.next().map(|v| (range, v)));
            out.push(match made {
                Some((range, v)) => Expr::value(self.quantize(v, word(false, range))?),
                None => e,
            });
        }
        Ok(out)
    }

    /// One form an element.
    fn apply(&mut self, x: Vec<Expr>, forms: &[Form]) -> Result<Vec<Expr>, Diag> {
        // What must be a value before a factor or two halves read it.
        let first: Vec<Expr> = x.iter().zip(forms).filter(|(e, f)| needs_value(f, e)).map(|(e, _)| e.clone()).collect();
        let mut made = self.values(&first)?.into_iter();
        let x: Vec<Expr> = x
            .into_iter()
            .zip(forms)
            .map(|(e, f)| if needs_value(f, &e) { made.next().map_or(e, Expr::value) } else { e })
            .collect();
        // Sums with what follows.
        let mut parts: Vec<(Expr, &Form)> = Vec::new();
        let mut halves: Vec<(Expr, Form)> = Vec::new();
        for (e, f) in x.iter().zip(forms) {
            match f {
                Form::Constant(_) => {}
                Form::Line { mul, add, .. } => {
                    let mut sum = Expr::constant(*add);
                    sum.add(e, *mul);
                    parts.push((sum, f));
                }
                Form::Steps { .. } => parts.push((e.clone(), f)),
                Form::Halves(below, above, _) => {
                    let r = self.range(e);
                    let v = self.values(std::slice::from_ref(e))?[0];
                    let low = Interval { lo: r.lo.min(-1), hi: -1 };
                    let q = Quantizer { overflow: Overflow::Clamp { lo: low.lo, hi: -1 }, ..word(false, low) };
                    let negative = self.quantize(v, q)?;
                    let positive = self.quantize(v, word(true, Interval { lo: 0, hi: r.hi.max(0) }))?;
                    halves.push((Expr::value(negative), (**below).clone()));
                    halves.push((Expr::value(positive), (**above).clone()));
                    parts.push((e.clone(), f));
                }
            }
        }
        let sums: Vec<Expr> = parts.iter().map(|p| p.0.clone()).collect();
        let values = self.values(&sums)?;
        let mut results = Vec::with_capacity(values.len());
        for (v, (_, f)) in values.into_iter().zip(&parts) {
            results.push(match f {
                Form::Constant(_) => v,
                Form::Line { quantizer, .. } => self.quantize(v, *quantizer)?,
                Form::Steps { base, steps } => self.steps(v, Steps::new(*base, steps.clone()))?,
                // One half is constant: its value at -1 where the argument is not negative, that at 0 elsewhere.
                Form::Halves(_, _, [minus_one, zero]) => self.steps(v, Steps::new(-zero, vec![(0, -minus_one)]))?,
            });
        }
        let mut half_values = Vec::new().into_iter();
        if !halves.is_empty() {
            let (e, f): (Vec<Expr>, Vec<Form>) = halves.into_iter().unzip();
            half_values = self.apply(e, &f)?.into_iter();
        }
        let mut results = results.into_iter();
        let mut out = Vec::with_capacity(x.len());
        for f in forms {
            out.push(match f {
                Form::Constant(k) => Expr::constant(*k),
                Form::Line { .. } | Form::Steps { .. } => results.next().map_or(Expr::constant(0), Expr::value),
                Form::Halves(..) => {
                    let mut y = results.next().map_or(Expr::constant(0), Expr::value);
                    half_values.by_ref().take(2).for_each(|h| y.add(&h, 1));
                    y
                }
            });
        }
        Ok(out)
    }

    fn steps(&mut self, v: Value, steps: Steps) -> Result<Value, Diag> {
        self.builder.steps(v, &steps).map_err(|error| self.failed(&error))
    }
}

/// Whether a form reads its argument several times, or with a factor that is better applied once to the whole sum.
fn needs_value(f: &Form, e: &Expr) -> bool {
    match f {
        Form::Constant(_) => false,
        Form::Line { mul, .. } => !mul.unsigned_abs().is_power_of_two() && e.terms.len() > 1,
        Form::Steps { .. } => false,
        Form::Halves(..) => true,
    }
}

/// Keeps a word that holds an interval, after ReLU where asked.
fn word(relu: bool, range: Interval) -> Quantizer {
    let (bits, signed) = (range.width().max(1), range.signed());
    Quantizer { relu, drop: 0, rounding: Rounding::Floor, bits, signed, overflow: Overflow::Wrap }
}

/// A weighted sum of sums.
fn weighted<'a>(terms: impl Iterator<Item = (i64, &'a Expr)>) -> Expr {
    let mut at: HashMap<Value, usize> = HashMap::new();
    let mut sum = Expr::constant(0);
    for (w, e) in terms.filter(|(w, _)| *w != 0) {
        sum.constant += w * e.constant;
        for &(v, k) in &e.terms {
            let place = *at.entry(v).or_insert(sum.terms.len());
            match sum.terms.get_mut(place) {
                Some(t) => t.1 += w * k,
                None => sum.terms.push((v, w * k)),
            }
        }
    }
    sum.terms.retain(|t| t.1 != 0);
    sum
}

/// Row `r` of a convolution; `x` gives the element of a tap and input channel.
fn filter(c: &IntConv, r: usize, x: impl Fn(usize, usize) -> Expr) -> Expr {
    let group = c.input[2] / c.groups;
    let base = r / (c.weights.rows / c.groups) * group;
    let used = c.weights.row(r).iter().enumerate().filter(|(_, w)| **w != 0);
    let operands: Vec<(i64, Expr)> = used.map(|(k, w)| (*w, x(k / group, base + k % group))).collect();
    weighted(operands.iter().map(|(w, e)| (*w, e)))
}

/// Calls `f` for every output pixel with the input pixel of each tap, `None` where it is padding.
fn gather([h, w, _]: [usize; 3], window: &Window, shape: &[usize], mut f: impl FnMut(&[Option<usize>])) {
    let place = |a: usize, o: usize, k: usize, size: usize| {
        (o * window.stride[a] + k * window.dilation[a]).checked_sub(window.pads[a]).filter(|p| *p < size)
    };
    for oy in 0..shape[0] {
        for ox in 0..shape[1] {
            let mut taps = Vec::with_capacity(window.kernel[0] * window.kernel[1]);
            for ky in 0..window.kernel[0] {
                for kx in 0..window.kernel[1] {
                    let pixel = place(0, oy, ky, h).zip(place(1, ox, kx, w));
                    taps.push(pixel.map(|(y, x)| y * w + x));
                }
            }
            f(&taps);
        }
    }
}

/// The interval of all elements of one channel.
pub(super) fn channel_range(range: &Range, channel: usize, channels: usize) -> (i64, i64) {
    let n = num_integer::lcm(range.0.len(), channels);
    (channel..n).step_by(channels).fold((i64::MAX, i64::MIN), |(lo, hi), i| {
        let r = range.of(i);
        (lo.min(r.0), hi.max(r.1))
    })
}
