//! Layered programs: a sequence of constant matrix products, each with constants added and a quantizer an element.

use crate::cost::graph_luts;
use crate::error::{ProgramError, check_layer};
use crate::graph::{Graph, Linear, NodeId, Operand};
use crate::interval::Interval;
use crate::pipeline::{PipelineOptions, pipeline};
use crate::quantizer::{Quantizer, Rounding};
use crate::solve::{InputSpec, Job, Options, append, solve_all};
use netfold_ir::hw::program::Pipeline;

/// One layer: `quantizer(matrix * x + bias)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The weights, a row an output.
    pub matrix: Vec<Vec<i64>>,
    /// A constant an output, in units of the product.
    pub bias: Vec<i64>,
    /// The quantizer of each output; `None` keeps the exact sum.
    pub quantizers: Vec<Option<Quantizer>>,
    /// Bound of the adder depth, as in [`Options::max_depth`].
    pub max_depth: Option<u32>,
}

/// The exact intervals of a layer's outputs for given inputs.
fn layer_ranges(layer: &Layer, inputs: &[InputSpec]) -> Vec<Interval> {
    let job = Job { matrix: &layer.matrix, inputs, bias: Some(&layer.bias), max_depth: None, slack: 0 };
    (0..layer.matrix.len())
        .map(|r| {
            let s = job.output_range(r);
            layer.quantizers[r].map_or(s, |q| q.range(s))
        })
        .collect()
}

fn fold_rounding(layer: &Layer) -> Layer {
    let mut l = layer.clone();
    for (q, b) in l.quantizers.iter_mut().zip(&mut l.bias) {
        if let Some(q) = q
            && q.rounding == Rounding::HalfUp
        {
            if q.drop > 0 {
                *b += 1 << (q.drop - 1);
            }
            q.rounding = Rounding::Floor;
        }
    }
    l
}

/// Compiles a layered program to one graph. Its outputs are exact (offset zero, no shift) unless constant.
///
/// # Errors
/// Counts that do not match (a matrix row has one entry an input of its layer; `bias` and `quantizers` have one a row),
/// and sums of more than 48 bits.
pub fn compile(inputs: &[InputSpec], layers: &[Layer], options: &Options) -> Result<Graph, ProgramError> {
    Ok(compile_slacks(inputs, layers, options, &[options.slack])?.pop().unwrap_or_default())
}

/// Compiles a layered program and places its registers. Every depth slack up to [`Options::slack`] is tried: more depth
/// saves lookup tables but costs stages and register bits. The result has the fewest stages (counts up to
/// `min_stages` are equally good), then the least of lookup tables plus half the register bits: a slice has two
/// flip-flops a lookup table.
///
/// # Errors
/// As [`compile`].
pub fn compile_pipelined(
    inputs: &[InputSpec],
    layers: &[Layer],
    options: &Options,
    placement: &PipelineOptions,
) -> Result<(Graph, Pipeline), ProgramError> {
    let slacks: Vec<u32> = (0..=options.slack).collect();
    let graphs = compile_slacks(inputs, layers, options, &slacks)?;
    let place = |g: Graph| {
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
    Ok((g, p))
}

/// The best graph for each depth slack; all are solved together on all threads.
fn compile_slacks(
    inputs: &[InputSpec],
    layers: &[Layer],
    options: &Options,
    slacks: &[u32],
) -> Result<Vec<Graph>, ProgramError> {
    let mut specs = vec![inputs.to_vec()];
    for (index, layer) in layers.iter().enumerate() {
        let last = &specs[specs.len() - 1];
        check_layer(index, layer, last)?;
        let next = layer_ranges(layer, last).into_iter().map(|range| InputSpec { range, zeros: 0 }).collect();
        specs.push(next);
    }
    // Rounding half up is rounding down after half a step was added, which the layer's constant takes for nothing.
    let layers: Vec<Layer> = layers.iter().map(fold_rounding).collect();
    let mut jobs = Vec::with_capacity(slacks.len() * layers.len());
    for &slack in slacks {
        for (l, s) in layers.iter().zip(&specs) {
            jobs.push(Job {
                matrix: &l.matrix,
                inputs: s,
                bias: Some(&l.bias),
                max_depth: l.max_depth.or(options.max_depth),
                slack,
            });
        }
    }
    let parts = solve_all(&jobs, options);
    if layers.is_empty() {
        return Ok(slacks.iter().map(|_| join(inputs, &[], &specs, &[])).collect());
    }
    Ok(parts.chunks(layers.len()).map(|p| join(inputs, &layers, &specs, p)).collect())
}

/// Joins the layers' graphs, with the quantizers between them.
fn join(inputs: &[InputSpec], layers: &[Layer], specs: &[Vec<InputSpec>], parts: &[Graph]) -> Graph {
    let mut g = Graph::default();
    let mut wires: Vec<NodeId> = inputs.iter().map(|i| g.input(i.range, i.zeros)).collect();
    let mut outputs = Vec::new();
    for ((layer, part), next) in layers.iter().zip(parts).zip(&specs[1..]) {
        let results = append(&mut g, part, &wires);
        wires.clear();
        outputs.clear();
        for (r, out) in results.into_iter().enumerate() {
            let node = match out.term {
                Some(t) if t.shift == 0 && !t.neg && out.offset == 0 => t.node,
                Some(t) => g.affine(t, out.offset),
                None => g.constant(out.offset),
            };
            let node = match layer.quantizers[r] {
                Some(q) => {
                    // The sum's node may be shared and have a wider interval than the row; the next layer was solved
                    // for the row's.
                    let id = g.quant(node, q);
                    g.narrow(id, next[r].range);
                    id
                }
                None => node,
            };
            wires.push(node);
            outputs.push(Linear { term: Some(Operand { node, shift: 0, neg: false }), offset: 0 });
        }
    }
    g.outputs = outputs;
    g.sweep();
    g
}
