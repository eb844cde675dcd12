//! Walks the file's graph from the outputs, converts its operators in order, and assembles the network.

use super::fault::{Fault, Res, invalid, unsupported};
use super::node::OpNode;
use super::opset::Opsets;
use super::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use super::tensor::{DType, MAX_ELEMENTS, Tensor};
use super::value::{Val, Value, check_size};
use super::{Batch, ops};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Network, Op, Port, UnaryFn};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

/// Stand-in for a symbolic batch size: a prime that no real shape has as a factor, so that sizes that depend on the batch are
/// told from those that do not.
pub(super) const SYMBOLIC_BATCH: usize = 999_999_937;
/// Largest batch size that a file may state.
const MAX_BATCH: usize = 1 << 32;
/// Largest number of operators of a file.
const MAX_NODES: usize = 100_000;
/// Largest number of elements of all constants together.
const MAX_CONSTANT_ELEMENTS: usize = 1 << 26;

/// Import of one file.
pub(super) struct Importer<'a> {
    /// The network so far.
    pub net: Network,
    /// Number of samples in the file's shapes.
    pub batch_size: usize,
    /// Transpositions and reshapes made so far.
    pub derived: HashMap<(NodeId, bool, Vec<usize>), NodeId>,
    graph: &'a GraphProto,
    base: Option<&'a Path>,
    values: HashMap<&'a str, Val>,
    initializers: HashMap<&'a str, &'a TensorProto>,
    names: HashMap<String, usize>,
    constant_elements: usize,
    diags: Diags,
}

/// Imports a graph.
pub(super) fn import(
    graph: &GraphProto,
    opsets: &Opsets,
    base: Option<&Path>,
    name: &str,
    batch: Batch,
) -> Result<Network, Diags> {
    let mut im = Importer {
        net: Network { name: name.to_string(), ..Network::default() },
        batch_size: 1,
        derived: HashMap::new(),
        graph,
        base,
        values: HashMap::new(),
        initializers: graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect(),
        names: HashMap::new(),
        constant_elements: 0,
        diags: Diags::new(),
    };
    let order = im.live_nodes()?;
    let live: HashSet<&str> =
        order.iter().flat_map(|n| &n.input).chain(graph.output.iter().map(|o| &o.name)).map(String::as_str).collect();
    im.add_inputs(&live, batch);
    for node in order {
        im.convert(node, opsets, &live);
    }
    im.add_outputs();
    im.finish()
}

/// A name for messages: the node's, or that of its first output.
fn display_name(node: &NodeProto) -> &str {
    let unnamed = node.name.is_empty();
    if unnamed { node.output.iter().find(|o| !o.is_empty()).map_or("", String::as_str) } else { &node.name }
}

impl<'a> Importer<'a> {
    /// The operators that the outputs depend on, producers first, in the file's order where that is free.
    fn live_nodes(&self) -> Result<Vec<&'a NodeProto>, Diags> {
        let nodes = &self.graph.node;
        let whole = |code, cause: String| Diags::from(Diag::new(code, self.net.name.as_str(), cause));
        if nodes.len() > MAX_NODES {
            return Err(whole(
                Code::Unsupported,
                format!("{} operators; at most {MAX_NODES} are supported", nodes.len()),
            ));
        }
        if self.graph.output.is_empty() {
            return Err(whole(Code::Invalid, "the graph has no outputs".to_string()));
        }
        let mut producer: HashMap<&str, usize> = HashMap::new();
        let mut diags = Diags::new();
        for (i, node) in nodes.iter().enumerate() {
            for output in node.output.iter().filter(|o| !o.is_empty()) {
                let twice = producer.insert(output, i).is_some() || self.initializers.contains_key(output.as_str());
                if twice {
                    let cause = format!("{}: tensor {output:?} has more than one producer", node.op_type);
                    diags.push(Diag::new(Code::Invalid, display_name(node), cause));
                }
            }
        }
        diags.into_result(())?;
        // Depth-first walk with an explicit stack: 1 = on the stack, 2 = done.
        let mut state = vec![0u8; nodes.len()];
        let mut order = Vec::new();
        for root in self.graph.output.iter().filter_map(|o| producer.get(o.name.as_str())) {
            let mut stack = vec![(*root, 0usize)];
            while let Some((node, next)) = stack.pop() {
                if next == 0 && state[node] == 2 {
                    continue;
                }
                state[node] = 1;
                let Some(input) = nodes[node].input.get(next) else {
                    state[node] = 2;
                    order.push(node);
                    continue;
                };
                stack.push((node, next + 1));
                match producer.get(input.as_str()) {
                    Some(&p) if state[p] == 0 => stack.push((p, 0)),
                    Some(&p) if state[p] == 1 => {
                        let cause = format!("{}: the node depends on its own result", nodes[p].op_type);
                        return Err(Diag::new(Code::Invalid, display_name(&nodes[p]), cause).into());
                    }
                    _ => {}
                }
            }
        }
        // In the file's order when that is a valid one (it is in every well-formed file).
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let position: HashMap<usize, usize> = sorted.iter().enumerate().map(|(i, &n)| (n, i)).collect();
        let valid = sorted.iter().all(|&n| {
            let inputs = nodes[n].input.iter().filter_map(|i| producer.get(i.as_str()));
            inputs.into_iter().all(|p| position.get(p) < position.get(&n))
        });
        Ok((if valid { sorted } else { order }).into_iter().map(|i| &nodes[i]).collect())
    }

    /// A name not used before: `base`, or `base` with a number.
    fn unique(&mut self, base: &str) -> String {
        loop {
            let n = self.names.entry(base.to_string()).or_insert(0);
            *n += 1;
            let name = if *n == 1 { base.to_string() } else { format!("{base}_{}", *n - 1) };
            if *n == 1 || !self.names.contains_key(&name) {
                self.names.insert(name.clone(), 1.max(self.names.get(&name).copied().unwrap_or(0)));
                return name;
            }
        }
    }

    /// Adds an operator to the network under `name`, or the first free name after it.
    pub fn add(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, Diag> {
        let name = if self.net.graph.find(name).is_none() { name.to_string() } else { self.unique(name) };
        self.names.entry(name.clone()).or_insert(1);
        let id = self.net.add(&name, op, inputs)?;
        let elements = self.net.shape(id).iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if elements.is_none_or(|n| n > MAX_ELEMENTS) {
            let cause = format!("a tensor of shape {:?} is larger than {MAX_ELEMENTS} elements", self.net.shape(id));
            return Err(Diag::new(Code::Unsupported, name, cause));
        }
        Ok(id)
    }

    /// Adds the inputs that are used, and fixes the batch size.
    fn add_inputs(&mut self, live: &HashSet<&str>, batch: Batch) {
        let graph = self.graph;
        let mut shapes = Vec::new();
        let mut seen = HashSet::new();
        for info in &graph.input {
            if !live.contains(info.name.as_str()) || self.initializers.contains_key(info.name.as_str()) {
                continue;
            }
            if !seen.insert(info.name.as_str()) {
                self.diags.push(Diag::new(Code::Invalid, &info.name, "two inputs of this name"));
                continue;
            }
            match input_shape(info) {
                Ok((ty, dims)) => shapes.push((info, ty, dims)),
                Err(fault) => self.poison(&info.name, fault, "input"),
            }
        }
        let leading = shapes.iter().find_map(|(_, _, dims)| match dims.as_slice() {
            [None, ..] => Some(SYMBOLIC_BATCH),
            [Some(n), _, ..] => Some(*n),
            _ => None,
        });
        self.batch_size = match batch {
            Batch::Leading => leading.unwrap_or(1).max(1),
            Batch::Absent => 1,
        };
        for (info, ty, dims) in shapes {
            if let Err(fault) = self.add_input(info, ty, &dims) {
                self.poison(&info.name, fault, "input");
            }
        }
    }

    /// Reports an input or tensor at fault.
    fn poison(&mut self, name: &'a str, fault: Fault, what: &str) {
        self.diags.push(fault.at(name, what));
        self.values.insert(name, Val::Poisoned);
    }

    /// Adds one input.
    fn add_input(&mut self, info: &'a ValueInfoProto, ty: DType, declared: &[Option<usize>]) -> Res<()> {
        let n = self.batch_size;
        let batched = n > 1;
        let mut dims = Vec::with_capacity(declared.len());
        for (axis, d) in declared.iter().enumerate() {
            match d {
                Some(d) => dims.push(*d),
                None if axis == 0 => dims.push(n),
                None => {
                    return Err(unsupported(format!("the size of axis {axis} is not fixed"))
                        .help("only the first axis, the batch, may be symbolic: export the model with fixed sizes"));
                }
            }
        }
        if batched && dims.first() != Some(&n) {
            let shown = if n == SYMBOLIC_BATCH { "symbolic".to_string() } else { n.to_string() };
            return Err(unsupported(format!(
                "shape {dims:?} does not begin with the batch size of the other inputs ({shown})"
            )));
        }
        if n > MAX_BATCH {
            return Err(unsupported(format!("a batch of {n} samples")));
        }
        let batch = batched.then_some(0);
        check_size(&dims, batch)?;
        let order: Vec<usize> = (0..dims.len()).collect();
        let drop_first = batched || (dims.len() > 1 && dims[0] == 1);
        let shape = dims[usize::from(drop_first)..].to_vec();
        let mut node = self.add(&info.name, Op::Input(shape.clone()), &[])?;
        self.net.inputs.push(Port { name: info.name.clone(), node, shape, order: Vec::new() });
        if let DType::Int { bits, .. } = ty
            && bits <= 32
        {
            let quantizer = ops::integer_quantizer(ty)?;
            node = self.add(&format!("{}_integer", info.name), Op::Unary(UnaryFn::Quant(quantizer)), &[node])?;
        }
        self.values.insert(&info.name, Val::Data(Value { node, dims, batch, order, ty }));
        Ok(())
    }

    /// The tensor called `name`.
    fn lookup(&mut self, name: &'a str) -> Val {
        if let Some(v) = self.values.get(name) {
            return v.clone();
        }
        let Some(proto) = self.initializers.get(name) else {
            self.poison(name, invalid("nothing in the file produces this tensor"), "");
            return Val::Poisoned;
        };
        match Tensor::from_proto(proto, self.base).and_then(|t| self.constant(t)) {
            Ok(v) => {
                self.values.insert(name, v.clone());
                v
            }
            Err(fault) => {
                self.poison(name, fault, "tensor");
                Val::Poisoned
            }
        }
    }

    /// A constant, counted against the memory bound.
    pub fn constant(&mut self, t: Tensor) -> Res<Val> {
        self.constant_elements = self.constant_elements.saturating_add(t.len());
        if self.constant_elements > MAX_CONSTANT_ELEMENTS {
            return Err(unsupported(format!("the constants have more than {MAX_CONSTANT_ELEMENTS} elements together")));
        }
        Ok(Val::Const(Rc::new(t)))
    }

    /// Converts one operator; errors are recorded and poison its outputs.
    fn convert(&mut self, proto: &'a NodeProto, opsets: &Opsets, live: &HashSet<&str>) {
        let place = display_name(proto);
        let inputs: Vec<Option<Val>> = proto.input.iter().map(|i| (!i.is_empty()).then(|| self.lookup(i))).collect();
        let poisoned = inputs.iter().flatten().any(|v| matches!(v, Val::Poisoned));
        let result = opsets.of(proto).and_then(|opset| {
            ops::known(proto)?;
            if poisoned {
                return Ok(vec![]);
            }
            let mut node = OpNode::new(proto, place.to_string(), opset, self.base);
            node.inputs = inputs;
            node.used = proto.output.iter().map(|o| !o.is_empty() && live.contains(o.as_str())).collect();
            let results = ops::convert(self, &node)?;
            match node.unread() {
                Some(fault) => Err(fault),
                None => Ok(results),
            }
        });
        let mut results = match result {
            Ok(results) => results,
            Err(fault) => {
                self.diags.push(fault.at(place, &operator_name(proto)));
                vec![]
            }
        }
        .into_iter();
        for (i, output) in proto.output.iter().enumerate() {
            let value = results.next().unwrap_or(Val::Poisoned);
            if let Val::Data(v) | Val::Quantized(v, _) = &value {
                let node = self.net.graph.node(v.node).name.clone();
                if i == 0 && !proto.name.is_empty() && proto.name != node {
                    self.net.aliases.push((proto.name.clone(), node.clone()));
                }
                if *output != node && !output.is_empty() {
                    self.net.aliases.push((output.clone(), node));
                }
            }
            if !output.is_empty() {
                self.values.insert(output, value);
            }
        }
    }

    /// Adds the outputs, in the file's element order.
    fn add_outputs(&mut self) {
        let graph = self.graph;
        for info in &graph.output {
            let val = self.lookup(&info.name);
            if matches!(val, Val::Poisoned) {
                continue;
            }
            if let Err(fault) = self.add_output(&info.name, &val) {
                self.diags.push(fault.at(&info.name, "output"));
            }
        }
    }

    /// Adds one output.
    fn add_output(&mut self, name: &str, val: &Val) -> Res<()> {
        if let Val::Const(_) = val {
            return Err(unsupported("the output is a constant: it does not depend on the inputs"));
        }
        let label = format!("{name}_output");
        let v = self.as_data(val, &label)?;
        if v.batch.is_some_and(|b| v.dims[..b].iter().any(|&d| d != 1)) {
            return Err(unsupported(format!("the batch is not the first axis of the output's shape {:?}", v.dims)));
        }
        let node = self.natural(&v, &label)?;
        let order: Vec<usize> = (0..v.dims.len()).collect();
        let shape = self.extents(&v, &self.shown(&v, &order, &[]));
        self.net.outputs.push(Port { name: name.to_string(), node, shape, order: Vec::new() });
        Ok(())
    }

    /// Drops what the outputs do not need and verifies the result.
    fn finish(mut self) -> Result<Network, Diags> {
        if !self.diags.is_empty() {
            return Err(self.diags);
        }
        let net = &mut self.net;
        let roots: Vec<NodeId> = net.outputs.iter().map(|p| p.node).collect();
        net.graph.retain_reaching(&roots);
        let kept: HashSet<NodeId> = net.graph.ids().into_iter().collect();
        net.inputs.retain(|p| kept.contains(&p.node));
        let graph = &net.graph;
        let mut seen = HashSet::new();
        net.aliases.retain(|(alias, node)| {
            graph.find(node).is_some() && graph.find(alias).is_none() && seen.insert(alias.clone())
        });
        net.verify()?;
        Ok(self.net)
    }
}

/// Operator with its domain, for messages.
fn operator_name(proto: &NodeProto) -> String {
    if proto.domain.is_empty() || proto.domain == "ai.onnx" {
        format!("operator {}", proto.op_type)
    } else {
        format!("operator {}::{}", proto.domain, proto.op_type)
    }
}

/// Element type and sizes of an input; `None` for sizes that are symbolic or unknown.
fn input_shape(info: &ValueInfoProto) -> Res<(DType, Vec<Option<usize>>)> {
    let Some(tensor) = info.ty.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return Err(unsupported("only dense tensors can be network inputs"));
    };
    let ty = DType::from_onnx(tensor.elem_type)?;
    if ty == DType::Bool {
        return Err(unsupported("truth values can not be network inputs"));
    }
    let Some(shape) = &tensor.shape else {
        return Err(unsupported("the shape is not declared").help("export the model with the shapes of its inputs"));
    };
    let dims = shape.dim.iter().enumerate().map(|(axis, d)| match d.dim_value {
        Some(n) if n > 0 => usize::try_from(n).map(Some).map_err(|_| invalid("the shape is too large")),
        Some(n) if axis > 0 || n < -1 => Err(invalid(format!("axis {axis} has size {n}"))),
        _ => Ok(None),
    });
    Ok((ty, dims.collect::<Res<_>>()?))
}
