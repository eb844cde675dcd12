//! Arithmetic of two or more tensors: with constants it becomes a function of one element, otherwise a join of branches.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::{DType, Tensor};
use super::super::value::{Val, Value, prepend_axes};
use super::activation::affine;
use super::rats;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Affine, Op, Sum, UnaryFn, Upsample};
use netfold_ir::rat;
use num_traits::Zero;
use std::rc::Rc;

/// Joins tensors into one operator. Axes of size one repeat as in numpy; at least one tensor must have the full shape.
pub(super) fn join(im: &mut Importer, values: &[Value], op: Op, name: &str) -> Res<Value> {
    let rank = values.iter().map(|v| v.dims.len()).max().unwrap_or(0);
    let aligned: Vec<Value> = values.iter().map(|v| prepend_axes(v, rank - v.dims.len())).collect();
    let dims: Vec<usize> = (0..rank).map(|a| aligned.iter().map(|v| v.dims[a]).max().unwrap_or(1)).collect();
    let full: Vec<&Value> = aligned.iter().filter(|v| v.dims == dims).collect();
    let fits = |v: &Value| v.dims.iter().zip(&dims).all(|(a, b)| a == b || *a == 1);
    let natural: Vec<usize> = (0..rank).collect();
    let base = full.iter().find(|v| v.order != natural).or(full.first()).map(|v| (*v).clone());
    let Some(base) = base.filter(|base| aligned.iter().all(|v| fits(v) && v.batch == base.batch)) else {
        let shape = |v: &Value| {
            let size = |(axis, d): (usize, &usize)| if Some(axis) == v.batch { "N".into() } else { d.to_string() };
            format!("[{}]", v.dims.iter().enumerate().map(size).collect::<Vec<String>>().join(", "))
        };
        let shapes = aligned.iter().map(shape).collect::<Vec<_>>().join(" and ");
        return Err(unsupported(format!("tensors of shapes {shapes} that all depend on the inputs"))
            .help("axes of size 1 repeat where one of the tensors has the full shape"));
    };
    let shape = im.net.shape(base.node).to_vec();
    let mut nodes = Vec::new();
    for v in &aligned {
        nodes.push(if v.dims == dims {
            im.arrange(v, &base.order, &shape, &format!("{name}_input"))?
        } else {
            repeated(im, v, &base, &shape, name)?
        });
    }
    let node = im.add(name, op, &nodes)?;
    Ok(base.with(node, base.dims.clone(), base.order.clone()))
}

/// A node of shape `shape` with the elements of `v` repeated along its axes of size one, in the order of `base`.
fn repeated(im: &mut Importer, v: &Value, base: &Value, shape: &[usize], name: &str) -> Res<NodeId> {
    let axes: Vec<usize> = base.order.iter().copied().filter(|&a| im.extent(base, a) != 1).collect();
    let sizes = im.extents(base, &axes);
    let repeats = |i: usize| im.extent(v, axes[i]) == 1;
    // Neighbouring axes that all repeat, or all do not, count as one: (size, repeats).
    let mut runs: Vec<(usize, bool)> = Vec::new();
    for (i, size) in sizes.iter().enumerate() {
        match runs.last_mut().filter(|(_, r)| *r == repeats(i)) {
            Some((n, _)) => *n *= size,
            None => runs.push((*size, repeats(i))),
        }
    }
    let own: Vec<usize> = runs.iter().filter(|(_, r)| !r).map(|(n, _)| *n).collect();
    let own = if own.is_empty() { vec![1] } else { own };
    let mut node = im.arrange(v, &base.order, &own, &format!("{name}_narrow"))?;
    let mut outer = 1;
    let mut inner: usize = own.iter().product();
    for (i, &(size, repeats)) in runs.iter().enumerate() {
        if repeats {
            node = im.shaped(node, &[outer, 1, inner], &format!("{name}_image_{i}"))?;
            node = im.add(&format!("{name}_repeat_{i}"), Op::Upsample(Upsample { factors: [1, size] }), &[node])?;
        } else {
            inner /= size;
        }
        outer *= size;
    }
    im.shaped(node, shape, &format!("{name}_wide"))
}

/// Refuses integer arithmetic that could wrap around, or that rounds.
fn check_type(n: &OpNode, v: &Value) -> Res<()> {
    match v.ty {
        DType::Int { bits, .. } if bits < 32 || n.op() == "Div" => {
            Err(unsupported(format!("integer arithmetic of {bits} bits on data is not supported")))
        }
        _ => Ok(()),
    }
}

/// The second operand of opset 6's `broadcast` and `axis` attributes, with explicit trailing axes.
fn legacy_operand(im: &mut Importer, n: &OpNode, a: &Val, b: &Val) -> Res<Val> {
    n.ignore(&["consumed_inputs"]);
    let (broadcast, axis) = (n.int("broadcast", 0)?, n.int_opt("axis")?);
    if n.opset >= 7 {
        return if broadcast == 0 && axis.is_none() {
            Ok(b.clone())
        } else {
            Err(unsupported("attributes \"broadcast\" and \"axis\" ended with opset 6"))
        };
    }
    let dims = |v: &Val| match v {
        Val::Const(c) => c.dims.clone(),
        Val::Data(v) | Val::Quantized(v, _) => v.dims.clone(),
        Val::Poisoned => vec![],
    };
    let (rank, own) = (dims(a).len(), dims(b));
    let Some(axis) = axis.filter(|_| broadcast != 0) else { return Ok(b.clone()) };
    let axis = super::super::value::resolve_axis(axis, rank)?;
    let trailing = rank.checked_sub(axis + own.len()).ok_or_else(|| invalid("the operand has too many axes"))?;
    let mut shape = own;
    shape.extend(std::iter::repeat_n(1, trailing));
    Ok(match b {
        Val::Const(c) => Val::Const(Rc::new(c.reshaped(shape))),
        Val::Data(v) => Val::Data(super::shape::reshape_to(im, v, shape, &n.name)?),
        Val::Quantized(..) | Val::Poisoned => b.clone(),
    })
}

/// Add, Sub, Mul, Div.
pub(super) fn binary(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let a = n.required(0)?.clone();
    let b = n.required(1)?.clone();
    let b = legacy_operand(im, n, &a, &b)?;
    let one = || vec![rat::from_i64(1)];
    let zero = || vec![rat::from_i64(0)];
    match (&a, &b) {
        (_, Val::Const(c)) => {
            let x = im.as_data(&a, &n.name)?;
            check_type(n, &x)?;
            let op = n.op().to_string();
            im.unary_with(&x, &[c], &n.name, move |mut p| {
                let c = rats(&p.swap_remove(0))?;
                let (scale, offset) = match op.as_str() {
                    "Add" => (one(), c),
                    "Sub" => (one(), c.into_iter().map(|x| -x).collect()),
                    "Mul" => (c, zero()),
                    _ if c.iter().any(Zero::is_zero) => return Err(invalid("division by zero")),
                    _ => (c.iter().map(rat::recip).collect(), zero()),
                };
                Ok(UnaryFn::Affine(Affine { scale, offset }))
            })
        }
        (Val::Const(c), _) => {
            let mut x = im.as_data(&b, &n.name)?;
            check_type(n, &x)?;
            let op = n.op().to_string();
            if op == "Div" {
                x = im.unary(&x, UnaryFn::Reciprocal, &format!("{}_reciprocal", n.name))?;
            }
            im.unary_with(&x, &[c], &n.name, move |mut p| {
                let c = rats(&p.swap_remove(0))?;
                let (scale, offset) = match op.as_str() {
                    "Add" => (one(), c),
                    "Sub" => (vec![rat::from_i64(-1)], c),
                    _ => (c, zero()),
                };
                Ok(UnaryFn::Affine(Affine { scale, offset }))
            })
        }
        _ => {
            let mut values = [im.as_data(&a, &n.name)?, im.as_data(&b, &n.name)?];
            check_type(n, &values[0])?;
            if n.op() == "Div" {
                values[1] = im.unary(&values[1], UnaryFn::Reciprocal, &format!("{}_reciprocal", n.name))?;
            }
            let op = match n.op() {
                "Add" => Op::Sum(Sum::of(2)),
                "Sub" => Op::Sum(Sum { negate: vec![false, true] }),
                _ => Op::Mul,
            };
            join(im, &values, op, &n.name)
        }
    }
}

/// The inputs of a variadic operator, data and constants apart.
fn operands(im: &mut Importer, n: &OpNode) -> Res<(Vec<Value>, Vec<Rc<Tensor>>)> {
    let (mut data, mut constants) = (Vec::new(), Vec::new());
    for val in n.inputs.iter().flatten() {
        match val {
            Val::Const(c) => constants.push(Rc::clone(c)),
            other => data.push(im.as_data(other, &n.name)?),
        }
    }
    Ok((data, constants))
}

/// Sum and Mean of any number of tensors.
pub(super) fn sum(im: &mut Importer, n: &OpNode) -> Res<Value> {
    n.ignore(&["consumed_inputs"]);
    let (data, constants) = operands(im, n)?;
    for v in &data {
        check_type(n, v)?;
    }
    let count = data.len() + constants.len();
    let mut y = match data.as_slice() {
        [one] => one.clone(),
        many => join(im, many, Op::Sum(Sum::of(many.len())), &n.name)?,
    };
    for c in &constants {
        y = im.unary_with(&y, &[c], &n.name, |p| affine(&[1.0], &p[0]))?;
    }
    if n.op() == "Mean" && count > 1 {
        let scale = vec![rat::recip(&rat::from_i64(count as i64))];
        let mean = UnaryFn::Affine(Affine { scale, offset: vec![rat::from_i64(0)] });
        y = im.unary(&y, mean, &format!("{}_mean", n.name))?;
    }
    Ok(y)
}

/// Max and Min: constants become bounds; two data tensors become `a + relu(b - a)` and `a - relu(a - b)`.
pub(super) fn max_min(im: &mut Importer, n: &OpNode) -> Res<Value> {
    n.ignore(&["consumed_inputs"]);
    let max = n.op() == "Max";
    let (data, constants) = operands(im, n)?;
    let mut data = data.into_iter();
    let Some(mut y) = data.next() else { return Err(invalid("no inputs")) };
    for other in data {
        let (first, second) = if max { (&other, &y) } else { (&y, &other) };
        let difference = [first.clone(), second.clone()];
        let difference =
            join(im, &difference, Op::Sum(Sum { negate: vec![false, true] }), &format!("{}_difference", n.name))?;
        let excess = im.unary(&difference, UnaryFn::Relu, &format!("{}_excess", n.name))?;
        y = join(im, &[y, excess], Op::Sum(Sum { negate: vec![false, !max] }), &n.name)?;
    }
    for c in &constants {
        y = im.unary_with(&y, &[c], &n.name, |mut p| {
            let c = p.swap_remove(0);
            Ok(if max { UnaryFn::Clip(c, vec![f64::INFINITY]) } else { UnaryFn::Clip(vec![f64::NEG_INFINITY], c) })
        })?;
    }
    Ok(y)
}

/// `-x`.
pub(super) fn neg(im: &mut Importer, n: &OpNode) -> Res<Value> {
    n.ignore(&["consumed_inputs"]);
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    check_type(n, &x)?;
    im.unary(&x, affine(&[-1.0], &[0.0])?, &n.name)
}

/// Powers with the constant exponents 1/2, 1, 2 and 3.
pub(super) fn pow(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    check_type(n, &x)?;
    let exponent = n.constant(1, "exponent")?;
    if exponent.dims.len() > x.dims.len() {
        return Err(unsupported(format!("an exponent of shape {:?}", exponent.dims)));
    }
    let power = exponent.scalar_f64()?;
    if power == 1.0 {
        return Ok(x);
    }
    if power == 0.5 {
        return im.unary(&x, UnaryFn::Sqrt, &n.name);
    }
    if power == 2.0 || power == 3.0 {
        let square = join(im, &[x.clone(), x.clone()], Op::Mul, &n.name)?;
        return if power == 2.0 { Ok(square) } else { join(im, &[square, x], Op::Mul, &format!("{}_cube", n.name)) };
    }
    Err(unsupported(format!("exponent {power}")).help("exponents 0.5, 1, 2 and 3 are supported on data"))
}
