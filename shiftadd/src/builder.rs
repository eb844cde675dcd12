//! Programs: a directed acyclic graph of scalar values, each an input, a constant, a weighted sum of earlier values or a
//! function of them. All weighted sums are solved together, on all threads, and joined to one [`Graph`].

use std::collections::HashMap;

use crate::cost::graph_luts;
use crate::error::{ProgramError, check_quantizer, check_terms};
use crate::graph::{Graph, Linear, NodeId, Operand};
use crate::interval::Interval;
use crate::pipeline::{PipelineOptions, pipeline, stages};
use crate::quantizer::{Quantizer, Rounding, wrap_word};
use crate::serial::Digits;
use crate::solve::{InputSpec, Job, Options, Rows, append, solve_all};
use crate::steps::Steps;
use crate::tabulate::tabulate;
use netfold_ir::hw::program::{BitRef, Pipeline, Table};

/// One scalar value of a [`ProgramBuilder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(u32);

impl Value {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a value is computed.
#[derive(Clone, Debug)]
enum Def {
    Input,
    Const(i64),
    /// Row of a product.
    Row {
        product: usize,
        row: usize,
    },
    Quant(Value, Quantizer),
    Steps(Value, Steps),
    Max(Value, Value),
    /// A function of all the values' bits, by [`Table`]'s index.
    Table(Vec<Value>, Vec<i64>),
}

impl Def {
    /// The values read, other than a product's.
    fn reads(&self) -> Vec<Value> {
        match self {
            Def::Input | Def::Const(_) | Def::Row { .. } => Vec::new(),
            Def::Quant(x, _) | Def::Steps(x, _) => vec![*x],
            Def::Max(a, b) => vec![*a, *b],
            Def::Table(list, _) => list.clone(),
        }
    }
}

/// Weighted sums that are solved together: `bias + rows * values`.
#[derive(Clone, Debug)]
struct Product {
    values: Vec<Value>,
    rows: Rows,
    bias: Vec<i64>,
    max_depth: Option<u32>,
}

/// What makes two products the same to the solver.
type ProductKey<'a> = (&'a Rows, &'a [InputSpec], Option<&'a [i64]>, Option<u32>);

/// A product's graph, with its digits where it is one for digits.
struct Solved<'a> {
    graph: &'a Graph,
    digits: Option<&'a Digits>,
}

/// A program under construction: values are appended, each computed from earlier ones, and some are made outputs.
///
/// ```
/// use netfold_shiftadd::{InputSpec, Options, Overflow, ProgramBuilder, Quantizer, Rounding};
/// let mut p = ProgramBuilder::new();
/// let x = p.inputs(&[InputSpec::word(8, true); 2]);
/// let y = p.product(&[vec![3, -5], vec![7, 1]], &[1, 0], &x)?;
/// let q = Quantizer { relu: true, drop: 2, rounding: Rounding::Floor, bits: 6, signed: false, overflow: Overflow::Saturate };
/// let act = p.quantize(y[0], q)?;
/// let sum = p.add(act, y[1])?;
/// p.output(sum);
/// assert_eq!(p.compile(&Options::default()).eval(&[10, -4]), [(30 + 20 + 1) / 4 + 66]);
/// # Ok::<(), netfold_shiftadd::ProgramError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProgramBuilder {
    defs: Vec<Def>,
    known: Vec<InputSpec>,
    products: Vec<Product>,
    outputs: Vec<Value>,
}

impl ProgramBuilder {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    fn push(&mut self, def: Def, range: Interval, zeros: u32) -> Value {
        self.defs.push(def);
        self.known.push(InputSpec { range, zeros });
        Value(self.defs.len() as u32 - 1)
    }

    /// The exact interval and the known-zero low bits of a value.
    pub fn spec(&self, value: Value) -> InputSpec {
        self.known[value.index()]
    }

    /// Appends an input. The graph's inputs have the order of these calls.
    pub fn input(&mut self, spec: InputSpec) -> Value {
        self.push(Def::Input, spec.range, spec.zeros)
    }

    /// Appends one input a spec.
    pub fn inputs(&mut self, specs: &[InputSpec]) -> Vec<Value> {
        specs.iter().map(|&s| self.input(s)).collect()
    }

    /// Appends a constant.
    pub fn constant(&mut self, value: i64) -> Value {
        self.push(Def::Const(value), Interval::point(value), value.trailing_zeros().min(62))
    }

    /// Appends `matrix * xs + bias`, a row of the matrix a result. Subexpressions are shared among the rows, so what reads
    /// the same values is best one product.
    ///
    /// # Errors
    /// A row whose length is not the number of values, other than one constant a row, and sums of more than 48 bits.
    /// Errors name the product as the layer, counted from zero.
    pub fn product(&mut self, matrix: &[Vec<i64>], bias: &[i64], xs: &[Value]) -> Result<Vec<Value>, ProgramError> {
        self.product_within(matrix, bias, xs, None)
    }

    /// As [`ProgramBuilder::product`], with a bound of the results' adder depth as in [`Options::max_depth`].
    ///
    /// # Errors
    /// As [`ProgramBuilder::product`].
    pub fn product_within(
        &mut self,
        matrix: &[Vec<i64>],
        bias: &[i64],
        xs: &[Value],
        max_depth: Option<u32>,
    ) -> Result<Vec<Value>, ProgramError> {
        for (row, weights) in matrix.iter().enumerate() {
            if weights.len() != xs.len() {
                let (expected, found) = (xs.len(), weights.len());
                return Err(ProgramError::RowLength { layer: self.products.len(), row, expected, found });
            }
        }
        let rows = Rows::of_matrix(matrix);
        self.push_product(Product { values: xs.to_vec(), rows, bias: bias.to_vec(), max_depth })
    }

    /// Appends sparse weighted sums, solved together: row `r` is `bias[r]` and the sum of its weights times values. For
    /// element-wise additions of tensors, and for the windows of a convolution.
    ///
    /// # Errors
    /// Other than one constant a row, and sums of more than 48 bits.
    pub fn sums(&mut self, rows: &[Vec<(Value, i64)>], bias: &[i64]) -> Result<Vec<Value>, ProgramError> {
        let mut at: HashMap<Value, u32> = HashMap::new();
        let mut values = Vec::new();
        let mut list = Vec::with_capacity(rows.len());
        for row in rows {
            let mut terms: Vec<(u32, i64)> = Vec::with_capacity(row.len());
            for &(v, weight) in row {
                let k = *at.entry(v).or_insert_with(|| {
                    values.push(v);
                    values.len() as u32 - 1
                });
                match terms.iter_mut().find(|t| t.0 == k) {
                    Some(t) => t.1 += weight,
                    None => terms.push((k, weight)),
                }
            }
            terms.sort_unstable();
            terms.retain(|t| t.1 != 0);
            list.push(terms);
        }
        self.push_product(Product { values, rows: Rows(list), bias: bias.to_vec(), max_depth: None })
    }

    /// Appends `a + b`.
    ///
    /// # Errors
    /// Sums of more than 48 bits.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value, ProgramError> {
        let rows = if a == b { vec![vec![(a, 2)]] } else { vec![vec![(a, 1), (b, 1)]] };
        Ok(self.sums(&rows, &[0])?[0])
    }

    fn push_product(&mut self, p: Product) -> Result<Vec<Value>, ProgramError> {
        let layer = self.products.len();
        let expected = p.rows.0.len();
        if p.bias.len() != expected {
            return Err(ProgramError::Count { layer, what: "constants", expected, found: p.bias.len() });
        }
        let inputs: Vec<InputSpec> = p.values.iter().map(|&v| self.spec(v)).collect();
        for (row, terms) in p.rows.0.iter().enumerate() {
            check_terms(layer, row, terms, p.bias[row], &inputs)?;
        }
        let job = Job { rows: &p.rows, inputs: &inputs, bias: Some(&p.bias), max_depth: None, slack: 0 };
        let specs: Vec<InputSpec> = (0..expected).map(|r| job.output_spec(r)).collect();
        self.products.push(p);
        let values = specs.into_iter().enumerate();
        Ok(values.map(|(row, s)| self.push(Def::Row { product: layer, row }, s.range, s.zeros)).collect())
    }

    /// Appends a quantizer.
    ///
    /// # Errors
    /// More than 47 dropped bits or a result of no or of more than 48 bits.
    pub fn quantize(&mut self, x: Value, quantizer: Quantizer) -> Result<Value, ProgramError> {
        check_quantizer(&quantizer, self.products.len().saturating_sub(1), self.row_of(x))?;
        let range = quantizer.range(self.spec(x).range);
        Ok(self.push(Def::Quant(x, quantizer), range, 0))
    }

    /// Appends a piecewise constant function: thresholds, or an activation of any shape.
    ///
    /// # Errors
    /// Starts or values of more than 48 bits.
    pub fn steps(&mut self, x: Value, steps: &Steps) -> Result<Value, ProgramError> {
        if steps.reach() >= 1 << 48 {
            return Err(ProgramError::TooWide { layer: self.products.len().saturating_sub(1), row: self.row_of(x) });
        }
        let input = self.spec(x).range;
        let steps = steps.within(input);
        let range = steps.range(input);
        Ok(self.push(Def::Steps(x, steps), range, 0))
    }

    /// Appends the larger of two values.
    pub fn max(&mut self, a: Value, b: Value) -> Value {
        let (x, y) = (self.spec(a), self.spec(b));
        let range = Interval { lo: x.range.lo.max(y.range.lo), hi: x.range.hi.max(y.range.hi) };
        self.push(Def::Max(a, b), range, x.zeros.min(y.zeros))
    }

    /// Appends any function of a few values, which is called once for every combination of them.
    ///
    /// # Errors
    /// Values of together more than [`Table::MAX_BITS`] bits, and results of more than 48 bits.
    pub fn table(&mut self, xs: &[Value], f: impl Fn(&[i64]) -> i64) -> Result<Value, ProgramError> {
        let specs: Vec<InputSpec> = xs.iter().map(|&x| self.spec(x)).collect();
        let found: u32 = specs.iter().map(|s| s.range.width()).sum();
        let limit = Table::MAX_BITS as u32;
        if found > limit {
            return Err(ProgramError::TableBits { found, limit });
        }
        let mut words = Vec::with_capacity(1 << found);
        let mut range: Option<Interval> = None;
        for index in 0..1i64 << found {
            let (mut rest, mut args) = (index, Vec::with_capacity(xs.len()));
            for s in &specs {
                let w = s.range.width();
                let v = if w == 0 { 0 } else { wrap_word(rest, w, s.range.signed()) };
                rest >>= w;
                // Values that never occur repeat one that does.
                args.push(v.clamp(s.range.lo, s.range.hi) >> s.zeros << s.zeros);
            }
            let y = f(&args);
            range = Some(range.map_or(Interval::point(y), |r| Interval { lo: r.lo.min(y), hi: r.hi.max(y) }));
            words.push(y);
        }
        let range = range.unwrap_or(Interval::point(0));
        if range.lo.unsigned_abs().max(range.hi.unsigned_abs()) >= 1 << 48 {
            return Err(ProgramError::TooWide { layer: self.products.len().saturating_sub(1), row: 0 });
        }
        Ok(self.push(Def::Table(xs.to_vec(), words), range, 0))
    }

    /// The row of a product's result, for errors.
    fn row_of(&self, x: Value) -> usize {
        if let Def::Row { row, .. } = self.defs[x.index()] { row } else { 0 }
    }

    /// Makes a value the next output of the graph.
    pub fn output(&mut self, value: Value) {
        self.outputs.push(value);
    }

    /// Compiles the program. The graph's outputs are exact nodes (offset zero, no shift).
    pub fn compile(&self, options: &Options) -> Graph {
        let mut g = self.compile_slacks(options, &[options.slack]).pop().unwrap_or_default();
        tabulate(&mut g, &options.cost, options.table_bits, None);
        g
    }

    /// Compiles the program and places its registers. Every depth slack up to [`Options::slack`] is tried: more depth saves
    /// lookup tables but costs stages and register bits. The result has the fewest stages (counts up to `min_stages` are
    /// equally good), then the least of lookup tables plus half the register bits: a slice has two flip-flops a lookup
    /// table.
    pub fn compile_pipelined(&self, options: &Options, placement: &PipelineOptions) -> (Graph, Pipeline) {
        let slacks: Vec<u32> = (0..=options.slack).collect();
        let graphs = self.compile_slacks(options, &slacks);
        let place = |g: Graph| {
            // Tables save lookup tables but may be deeper than what they replace.
            let tables = |delay| {
                let mut t = g.clone();
                tabulate(&mut t, &options.cost, options.table_bits, delay);
                (stages(&t, placement), graph_luts(&t, &options.cost), t)
            };
            let (free, bound) = (tables(None), tables(Some(placement.delay)));
            let g = if (free.0, free.1) <= (bound.0, bound.1) { free.2 } else { bound.2 };
            let p = pipeline(&g, placement);
            let score = graph_luts(&g, &options.cost) + 0.5 * p.register_bits as f64;
            (p.stages, score, g, p)
        };
        let mut placed: Vec<(u32, f64, Graph, Pipeline)> = if options.threads == 1 {
            graphs.into_iter().map(place).collect()
        } else {
            std::thread::scope(|s| {
                let handles: Vec<_> = graphs.into_iter().map(|g| s.spawn(|| place(g))).collect();
                handles.into_iter().filter_map(|h| h.join().ok()).collect()
            })
        };
        placed.sort_by(|a, b| (a.0).cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (_, _, g, p) = placed.swap_remove(0);
        (g, p)
    }

    /// The constants of all products with those of the functions behind them, and for each value whether they were taken.
    /// Rounding half up is rounding down after half a step was added, and a threshold is the sign after its start was
    /// subtracted: a sum's constant takes both for nothing where nothing else reads the sum.
    fn folded(&self) -> (Vec<Vec<i64>>, Vec<bool>) {
        let mut readers = vec![0u32; self.defs.len()];
        for p in &self.products {
            p.values.iter().for_each(|v| readers[v.index()] += 1);
        }
        self.outputs.iter().for_each(|v| readers[v.index()] += 1);
        for x in self.defs.iter().flat_map(Def::reads) {
            readers[x.index()] += 1;
        }
        let mut biases: Vec<Vec<i64>> = self.products.iter().map(|p| p.bias.clone()).collect();
        let mut taken = vec![false; self.defs.len()];
        for (i, d) in self.defs.iter().enumerate() {
            let (x, add) = match d {
                Def::Quant(x, q) if q.rounding == Rounding::HalfUp && q.drop > 0 => (x, 1 << (q.drop - 1)),
                Def::Steps(x, s) => match s.single() {
                    Some(start) => (x, -start),
                    None => continue,
                },
                _ => continue,
            };
            if let Def::Row { product, row } = self.defs[x.index()]
                && readers[x.index()] == 1
            {
                biases[product][row] += add;
                taken[i] = true;
            }
        }
        (biases, taken)
    }

    /// The best graph for each depth slack; all products are solved together on all threads, equal ones once.
    fn compile_slacks(&self, options: &Options, slacks: &[u32]) -> Vec<Graph> {
        let (biases, taken) = self.folded();
        let specs: Vec<Vec<InputSpec>> =
            self.products.iter().map(|p| p.values.iter().map(|&v| self.spec(v)).collect()).collect();
        let digits: Vec<Option<Digits>> =
            self.products.iter().zip(&specs).map(|(p, s)| Digits::new(&p.rows, s, options.interval)).collect();
        let mut first: HashMap<ProductKey, usize> = HashMap::new();
        let mut jobs = Vec::new();
        let mut job = |rows, inputs, bias, max_depth: Option<u32>| {
            *first.entry((rows, inputs, bias, max_depth)).or_insert_with(|| {
                let max_depth = max_depth.or(options.max_depth);
                jobs.push(Job { rows, inputs, bias, max_depth, slack: 0 });
                jobs.len() - 1
            })
        };
        // The job of each product, and that of its digits.
        let mut jobs_of = Vec::with_capacity(self.products.len());
        for (((p, inputs), bias), digits) in self.products.iter().zip(&specs).zip(&biases).zip(&digits) {
            let whole = job(&p.rows, inputs, Some(bias), p.max_depth);
            let own = digits.as_ref().map(|d| (job(&d.rows, &d.inputs, None, p.max_depth), d));
            jobs_of.push((whole, own));
        }
        let count = jobs.len();
        let all: Vec<Job> = slacks.iter().flat_map(|&slack| jobs.iter().map(move |j| Job { slack, ..*j })).collect();
        let parts = solve_all(&all, options);
        let graphs = (0..slacks.len()).map(|s| {
            let parts = &parts[s * count..(s + 1) * count];
            let choose = |own: &(usize, Option<(usize, &Digits)>)| match own.1 {
                Some((j, d)) => d.price(&parts[j], options) < graph_luts(&parts[own.0], &options.cost),
                None => false,
            };
            let chosen: Vec<Solved> = jobs_of
                .iter()
                .map(|own| match own.1 {
                    Some((j, digits)) if choose(own) => Solved { graph: &parts[j], digits: Some(digits) },
                    _ => Solved { graph: &parts[own.0], digits: None },
                })
                .collect();
            self.join(&chosen, &biases, &taken, options)
        });
        graphs.collect()
    }

    /// Joins the products' graphs, with the functions between them.
    fn join(&self, parts: &[Solved], biases: &[Vec<i64>], taken: &[bool], options: &Options) -> Graph {
        let mut g = Graph::default();
        let mut wires: Vec<NodeId> = Vec::with_capacity(self.defs.len());
        let mut results: Vec<Linear> = Vec::new();
        let mut loaded: HashMap<(NodeId, u32), NodeId> = HashMap::new();
        // Rows of which only their quantizers know the exact meaning.
        let mut taken_row = vec![false; self.defs.len()];
        for (i, d) in self.defs.iter().enumerate() {
            if let Def::Quant(x, _) | Def::Steps(x, _) = d
                && taken[i]
            {
                taken_row[x.index()] = true;
            }
        }
        for (i, def) in self.defs.iter().enumerate() {
            let node = match def {
                Def::Input => g.input(self.known[i].range, self.known[i].zeros),
                Def::Const(k) => g.constant(*k),
                Def::Row { product, row } => {
                    if *row == 0 {
                        let inputs: Vec<NodeId> =
                            self.products[*product].values.iter().map(|v| wires[v.index()]).collect();
                        let part = &parts[*product];
                        results = match part.digits {
                            None => append(&mut g, part.graph, &inputs),
                            Some(digits) => {
                                let p = &self.products[*product];
                                let specs: Vec<InputSpec> = p.values.iter().map(|&v| self.spec(v)).collect();
                                let bias = Some(biases[*product].as_slice());
                                let whole = Job { rows: &p.rows, inputs: &specs, bias, max_depth: None, slack: 0 };
                                digits.append(&mut g, part.graph, &whole, &inputs, &mut loaded)
                            }
                        };
                    }
                    let out = results[*row];
                    let node = match out.term {
                        Some(t) if t.shift == 0 && !t.neg && out.offset == 0 => t.node,
                        Some(t) => g.affine(t, out.offset),
                        None => g.constant(out.offset),
                    };
                    // A node that other rows share may be known less exactly than the row, for which its readers were
                    // solved.
                    let InputSpec { range, zeros } = self.known[i];
                    let known = g.node(node);
                    if taken_row[i] || (known.range, known.zeros) == (range, zeros) {
                        node
                    } else {
                        let id = g.affine(Operand { node, shift: 0, neg: false }, 0);
                        g.retype(id, range, zeros);
                        id
                    }
                }
                Def::Quant(x, q) => {
                    let mut src = wires[x.index()];
                    let mut floor = *q;
                    if q.rounding == Rounding::HalfUp {
                        if q.drop > 0 && !taken[i] {
                            src = g.affine(Operand { node: src, shift: 0, neg: false }, 1 << (q.drop - 1));
                        }
                        floor.rounding = Rounding::Floor;
                    }
                    // The sum's node may be shared and have a wider interval than the value; what reads it was solved
                    // for the value's.
                    let id = g.quant(src, floor);
                    g.retype(id, self.known[i].range, 0);
                    id
                }
                Def::Steps(x, s) => {
                    let id = s.build(&mut g, wires[x.index()], taken[i], &options.cost);
                    g.retype(id, self.known[i].range, 0);
                    id
                }
                Def::Max(a, b) => {
                    let id = g.max(wires[a.index()], wires[b.index()]);
                    g.retype(id, self.known[i].range, self.known[i].zeros);
                    id
                }
                Def::Table(xs, words) => {
                    let bits_of = |x: &Value| {
                        let node = wires[x.index()];
                        (0..self.spec(*x).range.width()).map(move |bit| BitRef { node, bit })
                    };
                    let bits = xs.iter().flat_map(bits_of).collect();
                    let id = g.table(Table { bits, words: words.clone() }, self.known[i].range);
                    g.retype(id, self.known[i].range, 0);
                    id
                }
            };
            wires.push(node);
        }
        g.outputs = self
            .outputs
            .iter()
            .map(|v| Linear { term: Some(Operand { node: wires[v.index()], shift: 0, neg: false }), offset: 0 })
            .collect();
        g.sweep();
        g
    }
}
