//! Constant sums of products as pipelined shift-and-add code, written from their graph ([`netfold_ir::hw::linear`]).

pub use netfold_ir::hw::linear::signed_bits;
use netfold_ir::hw::linear::{self, Node, Term};
use std::fmt::Write;

/// An input: a signed wire and its range.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name of a signed wire of exactly the bits of the range.
    pub name: String,
    /// Smallest value.
    pub lo: i128,
    /// Largest value.
    pub hi: i128,
}

/// A finished row: a signed wire.
#[derive(Debug, Clone)]
pub struct Output {
    /// Name of the wire.
    pub name: String,
    /// Its width.
    pub bits: usize,
    /// Smallest value.
    pub lo: i128,
    /// Largest value.
    pub hi: i128,
}

/// Generated code.
#[derive(Debug, Clone)]
pub struct Linear {
    /// Declarations, for the body of a module with a clock `clk`.
    pub code: String,
    /// The rows.
    pub outputs: Vec<Output>,
    /// Cycles from the inputs to the outputs.
    pub stages: usize,
    /// Adders and subtractors.
    pub adders: usize,
}

/// A graph with the names of its wires.
struct Named<'a> {
    graph: &'a linear::Linear,
    prefix: &'a str,
    inputs: &'a [Input],
}

/// Code for `y_r = sum_c rows[r].0[c] * inputs[c] + rows[r].1`, with names that start with `prefix`.
pub fn linear(prefix: &str, inputs: &[Input], rows: &[(Vec<i64>, i64)]) -> Linear {
    let ranges: Vec<_> = inputs.iter().map(|i| (i.lo, i.hi)).collect();
    let graph = linear::Linear::new(&ranges, rows);
    let named = Named { graph: &graph, prefix, inputs };
    let mut code = named.code();
    let outputs = named.outputs(&mut code);
    Linear { code, outputs, stages: graph.stages, adders: graph.adders() }
}

impl Named<'_> {
    fn name(&self, node: usize) -> String {
        self.inputs.get(node).map_or_else(|| format!("{}{node}", self.prefix), |i| i.name.clone())
    }

    /// Names every row behind the last stage.
    fn outputs(&self, code: &mut String) -> Vec<Output> {
        let mut outputs = Vec::new();
        for (r, row) in self.graph.rows.iter().enumerate() {
            let bits = signed_bits(row.lo, row.hi);
            let name = format!("{}y{r}", self.prefix);
            let value = self.operand(row.term, row.delay, bits);
            let _ = writeln!(code, "  wire signed [{}:0] {name} = {value};", bits - 1);
            outputs.push(Output { name, bits, lo: row.lo, hi: row.hi });
        }
        outputs
    }

    /// A term as an expression of `bits` bits, `delay` stages after its node.
    fn operand(&self, term: Term, delay: usize, bits: usize) -> String {
        if let Some(value) = self.graph.nodes[term.node].constant {
            let value = value << term.shift;
            return format!("$signed({})", super::rom::literal(value, bits));
        }
        let name = self.name(term.node);
        let name = if delay == 0 { name } else { format!("{name}_d{delay}") };
        let wide = format!("{bits}'({name})");
        if term.shift == 0 { wide } else { format!("({wide} <<< {})", term.shift) }
    }

    /// All nodes and their delayed copies.
    fn code(&self) -> String {
        let mut code = String::new();
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let (bits, name) = (node.bits(), self.name(i));
            if let Some([a, b]) = &node.definition {
                let behind = |t: &Term| node.stage() - Node::stage(&self.graph.nodes[t.node]);
                let side = |t: &Term| self.operand(*t, behind(t), bits);
                let sign = if b.negative { '-' } else { '+' };
                let _ = writeln!(code, "  wire signed [{}:0] {name} = {} {sign} {};", bits - 1, side(a), side(b));
            }
            if node.constant.is_some() || node.delays == 0 {
                continue;
            }
            let copies: Vec<String> = (1..=node.delays).map(|d| format!("{name}_d{d}")).collect();
            let _ = writeln!(code, "  reg signed [{}:0] {};", bits - 1, copies.join(", "));
            let _ = writeln!(code, "  always @(posedge clk) begin");
            let mut previous = &name;
            for copy in &copies {
                let _ = writeln!(code, "    {copy} <= {previous};");
                previous = copy;
            }
            let _ = writeln!(code, "  end");
        }
        code
    }
}
