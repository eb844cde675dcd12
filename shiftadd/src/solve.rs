//! The solver: a constant matrix, exact input intervals and options in, the cheapest adder graph found out.

use std::sync::{Arc, Mutex};

use crate::cost::{CostModel, graph_luts};
use crate::cse::{Engine, Weights};
use crate::error::{ProgramError, check_terms};
use crate::graph::{Graph, Linear, NodeId, Op, Operand};
use crate::group::{self, Grouped};
use crate::interval::{Interval, csd_digits};
use crate::tree::{Goal, sum_row};
use crate::work;

/// What is known of an input: its exact interval and how many of its low bits are always zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InputSpec {
    /// The exact interval.
    pub range: Interval,
    /// Known-zero low bits.
    pub zeros: u32,
}

impl InputSpec {
    /// An input of `bits` bits, two's complement or unsigned, without known-zero bits.
    pub fn word(bits: u32, signed: bool) -> Self {
        Self { range: Interval::of_word(bits, signed), zeros: 0 }
    }
}

/// Solver options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Costs of the target family.
    pub cost: CostModel,
    /// Bound of the adder depth of every output; raised where an output's digits cannot be summed in it. `None` leaves
    /// [`Options::slack`] levels over the least possible.
    pub max_depth: Option<u32>,
    /// Levels over the least possible that an output without a bound may take.
    pub slack: u32,
    /// Threads; zero takes one a core.
    pub threads: usize,
    /// Solver runs with different weights of which the best is kept, at least 1. The digits of large matrices reduce it.
    pub tries: usize,
    /// The most index bits of tables that replace parts of the graph where they are cheaper; zero makes none. At most
    /// [`Table::MAX_BITS`](netfold_ir::hw::program::Table::MAX_BITS).
    pub table_bits: u32,
    /// Cycles from an input vector to the next. Above 1, a product's inputs are taken apart to as many digits and the graph is one
    /// for digits, where that takes fewer lookup tables.
    pub interval: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cost: CostModel::default(),
            max_depth: None,
            slack: 1,
            threads: 0,
            tries: 8,
            table_bits: 10,
            interval: 1,
        }
    }
}

/// The rows of a sparse matrix: per row, columns in ascending order with their weights, none of them zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Rows(pub Vec<Vec<(u32, i64)>>);

impl Rows {
    pub fn of_matrix(matrix: &[Vec<i64>]) -> Self {
        let nonzero = |r: &Vec<i64>| (0u32..).zip(r.iter().copied()).filter(|t| t.1 != 0).collect();
        Self(matrix.iter().map(nonzero).collect())
    }
}

/// A matrix with all that a solver run needs; several are solved together on all threads.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub rows: &'a Rows,
    pub inputs: &'a [InputSpec],
    /// Constants added to the outputs; where present the outputs are exact nodes with offset zero.
    pub bias: Option<&'a [i64]>,
    pub max_depth: Option<u32>,
    pub slack: u32,
}

impl Job<'_> {
    /// The exact interval and the known-zero low bits of an output, constants included.
    pub fn output_spec(&self, row: usize) -> InputSpec {
        let bias = self.bias.map_or(0, |b| b[row]);
        let (mut range, mut zeros) = (Interval::point(bias), bias.trailing_zeros().min(62));
        for &(k, c) in &self.rows.0[row] {
            let i = &self.inputs[k as usize];
            range = range.sum(&Interval::new(i.range.lo * c, i.range.hi * c));
            zeros = zeros.min(c.trailing_zeros() + i.zeros);
        }
        InputSpec { range, zeros }
    }

    /// The terms of all rows, in blocks of columns where rows are long.
    fn blocks(&self) -> Blocks {
        let mut graph = Graph::default();
        for i in self.inputs {
            graph.input(i.range, i.zeros);
        }
        let count = self.rows.0.len();
        let mut rows = Vec::with_capacity(count);
        let mut max_depth = Vec::with_capacity(count);
        let mut fixed = Vec::with_capacity(count);
        for (r, row) in self.rows.0.iter().enumerate() {
            let mut terms = Vec::new();
            let mut constant = self.bias.map_or(0, |b| b[r]);
            for &(j, c) in row {
                let spec = &self.inputs[j as usize];
                if spec.range.lo == spec.range.hi {
                    constant += c * spec.range.lo;
                    continue;
                }
                for (shift, neg) in csd_digits(c) {
                    terms.push(Operand { node: NodeId(j), shift, neg });
                }
            }
            let least = usize::BITS - terms.len().max(1).next_power_of_two().leading_zeros() - 1;
            max_depth.push(self.max_depth.unwrap_or(least + self.slack).max(least));
            rows.push(terms);
            fixed.push(constant);
        }
        let parts = split(rows, &max_depth, graph.nodes.len());
        Blocks { graph, parts, max_depth, fixed }
    }
}

/// Terms of a row that are searched for common pairs together. Pairs grow with the square, so longer rows are split by columns.
const BLOCK_TERMS: usize = 224;

/// A matrix for the elimination: blocks share no columns, so each is searched alone.
struct Blocks {
    /// The inputs.
    graph: Graph,
    parts: Vec<Part>,
    /// The adder depth of each row's result.
    max_depth: Vec<u32>,
    /// The constant of each row.
    fixed: Vec<i64>,
}

/// Terms of some columns, and what [`Engine::bounds`] allows them.
#[derive(Default)]
struct Part {
    rows: Vec<Vec<Operand>>,
    bounds: Vec<(u32, u64)>,
}

/// The outcome of an elimination: planned pairs, and rows over them.
struct Plan {
    graph: Graph,
    rows: Vec<Vec<Operand>>,
}

fn split(rows: Vec<Vec<Operand>>, max_depth: &[u32], columns: usize) -> Vec<Part> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let blocks = longest.div_ceil(BLOCK_TERMS).max(1);
    if blocks == 1 {
        let bounds = max_depth.iter().map(|&d| (d, 1 << d.min(60))).collect();
        return vec![Part { rows, bounds }];
    }
    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    let mut parts: Vec<Vec<Vec<Operand>>> = vec![vec![Vec::new(); rows.len()]; blocks];
    for (r, row) in rows.into_iter().enumerate() {
        for t in row {
            parts[t.node.index() * blocks / columns.max(1)][r].push(t);
        }
    }
    let parts = parts.into_iter().map(|rows| {
        // A block may use the share of a row's depth that its terms are of the row's.
        let own = rows.iter().zip(&lengths).zip(max_depth);
        let bounds = own.map(|((p, &n), &d)| (d, (1u64 << d.min(50)) * p.len() as u64 / n.max(1) as u64)).collect();
        Part { rows, bounds }
    });
    parts.collect()
}

/// Searches one block.
fn eliminate(inputs: &Graph, part: Part, weights: Weights) -> Plan {
    let mut e = Engine::new(inputs.clone(), part.rows, part.bounds, weights);
    e.run();
    Plan { graph: e.graph, rows: e.rows }
}

/// One plan of those of all blocks, which have the same inputs.
fn merge(inputs: usize, plans: Vec<Plan>) -> Plan {
    let mut plans = plans.into_iter();
    let mut all = plans.next().unwrap_or(Plan { graph: Graph::default(), rows: Vec::new() });
    for p in plans {
        let by = (all.graph.nodes.len() - inputs) as u32;
        let moved = |id: NodeId| if id.index() < inputs { id } else { NodeId(id.0 + by) };
        for n in &p.graph.nodes[inputs..] {
            all.graph.push_from(&p.graph, n, moved);
        }
        for (row, more) in all.rows.iter_mut().zip(p.rows) {
            row.extend(more.into_iter().map(|t| Operand { node: moved(t.node), ..t }));
        }
    }
    all
}

impl Job<'_> {
    /// Builds the adders that an elimination planned. A planned node with one reader joins its reader's sum, so sums
    /// of many terms form that group better than pairs do.
    fn build(&self, plan: &Plan, blocks: &Blocks, pass: f32, cost: &CostModel) -> Graph {
        let from = &plan.graph;
        let mut readers = vec![0u32; from.nodes.len()];
        for t in plan.rows.iter().flatten() {
            readers[t.node.index()] += 1;
        }
        for i in (0..from.nodes.len()).rev() {
            if readers[i] > 0
                && let Op::Add { a, b, .. } = from.nodes[i].op
            {
                readers[a.node.index()] += 1;
                readers[b.node.index()] += 1;
            }
        }
        let mut graph = Graph::default();
        // Each planned node's linear form as a term and a constant.
        let mut made: Vec<Option<Linear>> = vec![None; from.nodes.len()];
        for (i, spec) in self.inputs.iter().enumerate() {
            let node = graph.input(spec.range, spec.zeros);
            made[i] = Some(Linear { term: Some(Operand { node, shift: 0, neg: false }), offset: 0 });
        }
        let flatten = |terms: &[Operand], made: &[Option<Linear>]| {
            let (mut open, mut flat, mut offset) = (terms.to_vec(), Vec::new(), 0i64);
            while let Some(t) = open.pop() {
                if let Some(l) = made[t.node.index()] {
                    let k = l.offset << t.shift;
                    offset += if t.neg { -k } else { k };
                    if let Some(inner) = l.term {
                        flat.push(Operand { node: inner.node, shift: inner.shift + t.shift, neg: inner.neg != t.neg });
                    }
                } else if let Op::Add { a, b, .. } = from.node(t.node).op {
                    for o in [a, b] {
                        open.push(Operand { node: o.node, shift: o.shift + t.shift, neg: o.neg != t.neg });
                    }
                }
            }
            flat.reverse();
            (flat, offset)
        };
        for i in self.inputs.len()..from.nodes.len() {
            let Op::Add { a, b, .. } = from.nodes[i].op else { continue };
            if readers[i] < 2 {
                continue;
            }
            let (terms, offset) = flatten(&[a, b], &made);
            let goal = Goal {
                max_depth: from.nodes[i].depth,
                constant: offset,
                exact: None,
                pass,
                carry_bits: cost.carry_bits,
            };
            made[i] = Some(sum_row(&mut graph, terms, &goal));
        }
        for (r, row) in plan.rows.iter().enumerate() {
            let (terms, offset) = flatten(row, &made);
            let goal = Goal {
                max_depth: blocks.max_depth[r],
                constant: blocks.fixed[r] + offset,
                exact: self.bias.map(|_| self.output_spec(r).range),
                pass,
                carry_bits: cost.carry_bits,
            };
            let out = sum_row(&mut graph, terms, &goal);
            graph.outputs.push(out);
        }
        graph
    }
}

/// One run of the solver.
#[derive(Clone, Copy)]
struct Variant {
    weights: Weights,
    /// Bits of the groups of inputs that tables sum first; zero: none.
    group: u32,
}

/// The runs for a job.
fn variants(job: &Job, options: &Options) -> Vec<Variant> {
    let digits: usize = job.rows.0.iter().flatten().map(|&(_, c)| csd_digits(c).len()).sum();
    let tries = options.tries.max(1).min(1 + 40_000 / digits.max(1));
    let pass = options.cost.pass as f32;
    let keep = [1.0f32, 0.6, 0.45, 0.35];
    let plain = (0..tries).map(|i| Variant {
        weights: Weights {
            keep: keep[i % keep.len()],
            pass,
            noise: if i < 4 { 0.0 } else { 0.15 + 0.05 * (i % 3) as f32 },
            seed: i as u64,
        },
        group: 0,
    });
    let grouped = [6u32, 5, 4].into_iter().flat_map(|group| {
        let weights = move |keep| Weights { keep, pass, noise: 0.0, seed: 0 };
        [0.45f32, 1.0].map(|keep| Variant { weights: weights(keep), group })
    });
    let more = if options.table_bits == 0 || !group::worth(job) { 0 } else { tries.clamp(2, 6) };
    plain.chain(grouped.take(more)).collect()
}

/// A run that has begun: blocks that wait, and the plans of those that were searched.
struct Open {
    grouped: Option<Grouped>,
    blocks: Blocks,
    state: Mutex<State>,
}

/// By block: what waits, and what was found.
struct State {
    parts: Vec<Option<Part>>,
    plans: Vec<Option<Plan>>,
}

impl Open {
    fn new(job: &Job, v: Variant) -> Self {
        let grouped = (v.group > 0).then(|| group::group(job, v.group));
        let inner = grouped.as_ref().map_or(*job, |g| g.inner(job));
        let mut blocks = inner.blocks();
        let parts: Vec<Option<Part>> = std::mem::take(&mut blocks.parts).into_iter().map(Some).collect();
        let plans = parts.iter().map(|_| None).collect();
        Self { grouped, blocks, state: Mutex::new(State { parts, plans }) }
    }

    /// Searches a block. After the last of them, the run's graph and its price.
    fn search(&self, block: usize, job: &Job, v: Variant, cost: &CostModel) -> Option<(f64, Graph)> {
        let state = || self.state.lock().unwrap_or_else(|e| e.into_inner());
        let part = state().parts[block].take()?;
        let plan = eliminate(&self.blocks.graph, part, v.weights);
        let plans = {
            let mut s = state();
            s.plans[block] = Some(plan);
            if s.plans.iter().any(Option::is_none) {
                return None;
            }
            std::mem::take(&mut s.plans)
        };
        let plan = merge(self.blocks.graph.nodes.len(), plans.into_iter().flatten().collect());
        let graph = match &self.grouped {
            None => job.build(&plan, &self.blocks, v.weights.pass, cost),
            Some(g) => g.join(job, &g.inner(job).build(&plan, &self.blocks, v.weights.pass, cost)),
        };
        Some((graph_luts(&graph, cost), graph))
    }
}

/// What the threads do, by run.
enum Task {
    Begin(usize),
    Search(usize, usize, Arc<Open>),
}

/// Solves several matrices, each with `tries` runs, on all threads; the cheapest graph of each.
pub(crate) fn solve_all(jobs: &[Job], options: &Options) -> Vec<Graph> {
    let mut runs = Vec::new();
    for (j, job) in jobs.iter().enumerate() {
        runs.extend(variants(job, options).into_iter().map(|v| (j, v)));
    }
    let best: Vec<Mutex<Option<(f64, usize, Graph)>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let step = |task| {
        let (i, block, open) = match task {
            Task::Begin(i) => {
                let (j, v) = runs[i];
                let open = Arc::new(Open::new(&jobs[j], v));
                let blocks = open.state.lock().map_or(0, |s| s.parts.len());
                return (0..blocks).map(|b| Task::Search(i, b, open.clone())).collect();
            }
            Task::Search(i, block, open) => (i, block, open),
        };
        let (j, v) = runs[i];
        if let Some((cost, graph)) = open.search(block, &jobs[j], v, &options.cost) {
            let mut slot = best[j].lock().unwrap_or_else(|e| e.into_inner());
            // Ties go to the earlier variant, so the result does not depend on the threads.
            if slot.as_ref().is_none_or(|(c, k, _)| (cost, i) < (*c, *k)) {
                *slot = Some((cost, i, graph));
            }
        }
        Vec::new()
    };
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        n => n,
    };
    let blocks = |job: &Job| job.rows.0.iter().map(Vec::len).max().unwrap_or(0).div_ceil(BLOCK_TERMS / 4).max(1);
    let most: usize = runs.iter().map(|r| blocks(&jobs[r.0])).sum();
    work::run(threads.min(most), (0..runs.len()).map(Task::Begin).collect(), step);
    best.into_iter()
        .map(|m| m.into_inner().unwrap_or_else(|e| e.into_inner()).map(|b| b.2).unwrap_or_default())
        .collect()
}

/// Compiles `y = matrix * x` (rows are outputs) to a shift-and-add graph. Outputs are scaled nodes with a constant
/// offset; the graph's [`Graph::eval`] equals the product for all inputs in their intervals.
///
/// # Errors
/// A row whose length is not the number of inputs, or whose terms need more than 48 bits.
pub fn solve(matrix: &[Vec<i64>], inputs: &[InputSpec], options: &Options) -> Result<Graph, ProgramError> {
    let rows = Rows::of_matrix(matrix);
    for (row, (weights, terms)) in matrix.iter().zip(&rows.0).enumerate() {
        if weights.len() != inputs.len() {
            return Err(ProgramError::RowLength { layer: 0, row, expected: inputs.len(), found: weights.len() });
        }
        check_terms(0, row, terms, 0, inputs)?;
    }
    let job = Job { rows: &rows, inputs, bias: None, max_depth: options.max_depth, slack: options.slack };
    Ok(solve_all(&[job], options).pop().unwrap_or_default())
}

/// Copies a solved graph into another one, its inputs replaced by nodes there; returns its outputs there.
pub(crate) fn append(into: &mut Graph, part: &Graph, inputs: &[NodeId]) -> Vec<Linear> {
    let mut map: Vec<NodeId> = Vec::with_capacity(part.nodes.len());
    for n in &part.nodes {
        if let Op::Input(i) = n.op {
            map.push(inputs[i]);
            continue;
        }
        map.push(into.push_from(part, n, |id| map[id.index()]));
    }
    part.outputs
        .iter()
        .map(|o| Linear { term: o.term.map(|t| Operand { node: map[t.node.index()], ..t }), offset: o.offset })
        .collect()
}
