//! Element-wise operators on constants, with numpy broadcasting.

use super::super::fault::{Res, invalid, unsupported};
use super::super::node::OpNode;
use super::super::ops;
use super::super::tensor::{Const, DType, Data, Tensor, count, strides, walk};
use super::{batch_dependent, needs_batch};

/// The shape that two shapes broadcast to.
pub(super) fn broadcast_shape(a: &[usize], b: &[usize]) -> Res<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    let dims: Vec<usize> = (0..rank)
        .map(|i| match (size(a, i), size(b, i)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(invalid(format!("shapes {a:?} and {b:?} do not broadcast"))),
        })
        .collect::<Res<_>>()?;
    count(&dims)?;
    Ok(dims)
}

/// Positions in a tensor of shape `from` for a row-major walk over `to`.
pub(super) fn broadcast_index(from: &[usize], to: &[usize]) -> Vec<usize> {
    let own = strides(from);
    let lead = to.len() - from.len();
    let by: Vec<usize> =
        (0..to.len()).map(|i| if i < lead || from[i - lead] == 1 { 0 } else { own[i - lead] }).collect();
    walk(to, &by)
}

/// `f` of two tensors as floats, without rounding.
pub(in super::super) fn broadcast(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Res<Tensor> {
    let dims = broadcast_shape(&a.dims, &b.dims)?;
    let (ia, ib) = (broadcast_index(&a.dims, &dims), broadcast_index(&b.dims, &dims));
    let (va, vb) = (a.to_f64(), b.to_f64());
    let values = ia.iter().zip(&ib).map(|(&i, &j)| f(va[i], vb[j])).collect();
    Ok(Tensor::floats(DType::F64, dims, values))
}

/// A binary operator: floats are rounded to the type of `a`, integers wrapped to it.
fn binary(a: &Tensor, b: &Tensor, float: impl Fn(f64, f64) -> f64, int: impl Fn(i64, i64) -> Res<i64>) -> Res<Tensor> {
    if let (Data::Int(x), Data::Int(y)) = (&a.data, &b.data) {
        let dims = broadcast_shape(&a.dims, &b.dims)?;
        let (ia, ib) = (broadcast_index(&a.dims, &dims), broadcast_index(&b.dims, &dims));
        let values: Vec<i64> =
            ia.iter().zip(&ib).map(|(&i, &j)| int(x[i], y[j]).map(|v| a.ty.wrap(v))).collect::<Res<_>>()?;
        return Ok(Tensor { ty: a.ty, dims, data: Data::Int(values), grid: None });
    }
    let t = broadcast(a, b, float)?;
    Ok(rounded(t, a.ty))
}

/// Float elements rounded to `ty`, or truncated for an integer type.
fn rounded(t: Tensor, ty: DType) -> Tensor {
    let values = t.to_f64();
    let data = if ty.is_float() {
        Data::Float(values.into_iter().map(|x| ty.round(x)).collect())
    } else {
        Data::Int(values.into_iter().map(|x| ty.wrap(x as i64)).collect())
    };
    Tensor { ty, dims: t.dims, data, grid: None }
}

/// A comparison or logical operator.
fn predicate(a: &Tensor, b: &Tensor, float: impl Fn(f64, f64) -> bool, int: impl Fn(i64, i64) -> bool) -> Res<Tensor> {
    let t = match (&a.data, &b.data) {
        (Data::Int(_), Data::Int(_)) => {
            let wide = Tensor { ty: DType::I64, ..a.clone() };
            binary(&wide, b, |_, _| 0.0, |x, y| Ok(i64::from(int(x, y))))?
        }
        _ => broadcast(a, b, |x, y| f64::from(u8::from(float(x, y))))?,
    };
    let values = t.to_f64().into_iter().map(|x| i64::from(x != 0.0)).collect();
    Ok(Tensor { ty: DType::Bool, dims: t.dims, data: Data::Int(values), grid: None })
}

/// Integer division as C does it.
fn int_div(x: i64, y: i64) -> Res<i64> {
    if y == 0 {
        return Err(invalid("division by zero"));
    }
    if batch_dependent(x) && x % y != 0 {
        return Err(needs_batch());
    }
    Ok(x.wrapping_div(y))
}

/// Remainder with the sign of the divisor, or of the dividend (`fmod`).
fn int_mod(x: i64, y: i64, fmod: bool) -> Res<i64> {
    if y == 0 {
        return Err(invalid("division by zero"));
    }
    if batch_dependent(x) {
        return Err(needs_batch());
    }
    let r = x.wrapping_rem(y);
    Ok(if !fmod && r != 0 && (r < 0) != (y < 0) { r + y } else { r })
}

/// Integer power.
fn int_pow(x: i64, y: i64) -> Res<i64> {
    u32::try_from(y).map(|y| x.wrapping_pow(y)).map_err(|_| unsupported(format!("the integer power {y}")))
}

/// Sum, Mean, Max, Min of any number of constants.
fn variadic(n: &OpNode) -> Res<Tensor> {
    n.ignore(&["consumed_inputs"]);
    let inputs: Vec<Const> = (0..n.inputs.len()).map(|i| n.constant(i, "operand")).collect::<Res<_>>()?;
    let Some((first, rest)) = inputs.split_first() else { return Err(invalid("no inputs")) };
    let mut t = (**first).clone();
    for x in rest {
        t = match n.op() {
            "Max" => binary(&t, x, f64::max, |a, b| Ok(a.max(b)))?,
            "Min" => binary(&t, x, f64::min, |a, b| Ok(a.min(b)))?,
            _ => binary(&t, x, |a, b| a + b, |a, b| Ok(a.wrapping_add(b)))?,
        };
    }
    if n.op() == "Mean" {
        let count = inputs.len() as f64;
        let divisor = Tensor::floats(DType::F64, vec![], vec![count]);
        t = binary(&t, &divisor, |a, b| a / b, int_div)?;
    }
    Ok(t)
}

/// The second operand with opset 6's explicit broadcasting axis.
fn legacy(n: &OpNode, a: &Tensor, b: Const) -> Res<Const> {
    n.ignore(&["consumed_inputs"]);
    let (broadcast, axis) = (n.int("broadcast", 0)?, n.int_opt("axis")?);
    if n.opset >= 7 && (broadcast != 0 || axis.is_some()) {
        return Err(unsupported("attributes \"broadcast\" and \"axis\" ended with opset 6"));
    }
    let Some(axis) = axis else { return Ok(b) };
    let axis = super::super::value::resolve_axis(axis, a.dims.len())?;
    let trailing = a.dims.len().checked_sub(axis + b.dims.len()).ok_or_else(|| invalid("too many axes"))?;
    let mut dims = b.dims.clone();
    dims.extend(std::iter::repeat_n(1, trailing));
    Ok(std::rc::Rc::new(b.reshaped(dims)))
}

/// Element-wise operators; `None` for other operators.
pub(super) fn elementwise(n: &OpNode) -> Res<Option<Tensor>> {
    match n.op() {
        "Sum" | "Mean" | "Max" | "Min" => return variadic(n).map(Some),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "Equal" | "Less" | "LessOrEqual" | "Greater"
        | "GreaterOrEqual" | "And" | "Or" | "Xor" => {}
        _ => return unary(n),
    }
    let a = n.constant(0, "first operand")?;
    let b = legacy(n, &a, n.constant(1, "second operand")?)?;
    Ok(Some(match n.op() {
        "Add" => binary(&a, &b, |x, y| x + y, |x, y| Ok(x.wrapping_add(y)))?,
        "Sub" => binary(&a, &b, |x, y| x - y, |x, y| Ok(x.wrapping_sub(y)))?,
        "Mul" => binary(&a, &b, |x, y| x * y, |x, y| Ok(x.wrapping_mul(y)))?,
        "Div" => binary(&a, &b, |x, y| x / y, int_div)?,
        "Pow" => binary(&a, &b, f64::powf, int_pow)?,
        "Mod" => {
            let fmod = n.int("fmod", 0)? != 0;
            binary(&a, &b, |x, y| x % y, |x, y| int_mod(x, y, fmod))?
        }
        "Equal" => predicate(&a, &b, |x, y| x == y, |x, y| x == y)?,
        "Less" => predicate(&a, &b, |x, y| x < y, |x, y| x < y)?,
        "LessOrEqual" => predicate(&a, &b, |x, y| x <= y, |x, y| x <= y)?,
        "Greater" => predicate(&a, &b, |x, y| x > y, |x, y| x > y)?,
        "GreaterOrEqual" => predicate(&a, &b, |x, y| x >= y, |x, y| x >= y)?,
        "And" => predicate(&a, &b, |_, _| false, |x, y| x != 0 && y != 0)?,
        "Or" => predicate(&a, &b, |_, _| false, |x, y| x != 0 || y != 0)?,
        _ => predicate(&a, &b, |_, _| false, |x, y| (x != 0) != (y != 0))?,
    }))
}

/// A function of every element.
fn map(x: &Tensor, float: impl Fn(f64) -> f64, int: impl Fn(i64) -> i64) -> Tensor {
    let data = match &x.data {
        Data::Float(v) => Data::Float(v.iter().map(|&e| x.ty.round(float(e))).collect()),
        Data::Int(v) => Data::Int(v.iter().map(|&e| x.ty.wrap(int(e))).collect()),
    };
    Tensor { ty: x.ty, dims: x.dims.clone(), data, grid: None }
}

/// Operators of one constant; `None` for other operators.
fn unary(n: &OpNode) -> Res<Option<Tensor>> {
    let float_only = |f: fn(f64) -> f64| -> Res<Option<Tensor>> {
        let x = n.constant(0, "input")?;
        if x.ty.is_float() { Ok(Some(map(&x, f, |e| e))) } else { Err(invalid("a float tensor is needed")) }
    };
    match n.op() {
        "Neg" => Ok(Some(map(&*n.constant(0, "input")?, |e| -e, i64::wrapping_neg))),
        "Abs" => Ok(Some(map(&*n.constant(0, "input")?, f64::abs, i64::wrapping_abs))),
        "Sign" => {
            let sign = |e: f64| if e == 0.0 || e.is_nan() { e } else { e.signum() };
            Ok(Some(map(&*n.constant(0, "input")?, sign, i64::signum)))
        }
        "Not" => Ok(Some(map(&*n.constant(0, "input")?, |e| e, |e| i64::from(e == 0)))),
        "Relu" => Ok(Some(map(&*n.constant(0, "input")?, |e| e.max(0.0), |e| e.max(0)))),
        "Sqrt" => float_only(f64::sqrt),
        "Log" => float_only(f64::ln),
        "Reciprocal" => float_only(f64::recip),
        "Floor" => float_only(f64::floor),
        "Ceil" => float_only(f64::ceil),
        "Round" => float_only(f64::round_ties_even),
        "Clip" => {
            let (lo, hi) = ops::clip_bounds(n)?;
            let int = |e: i64| (e as f64).max(lo).min(hi) as i64;
            Ok(Some(map(&*n.constant(0, "input")?, |e| e.max(lo).min(hi), int)))
        }
        _ => match ops::activation_function(n)? {
            Some(f) => {
                let x = n.constant(0, "input")?;
                if !x.ty.is_float() {
                    return Err(invalid("a float tensor is needed"));
                }
                n.ignore(&["consumed_inputs"]);
                Ok(Some(map(&x, |e| f.eval_f64(0, e), |e| e)))
            }
            None => Ok(None),
        },
    }
}

/// Where.
pub(super) fn select(n: &OpNode) -> Res<Tensor> {
    let (c, a, b) = (n.constant(0, "condition")?, n.constant(1, "first choice")?, n.constant(2, "second choice")?);
    let dims = broadcast_shape(&c.dims, &broadcast_shape(&a.dims, &b.dims)?)?;
    let [ic, ia, ib] = [&c, &a, &b].map(|t| broadcast_index(&t.dims, &dims));
    let condition = c.as_ints()?;
    let pick = |i: usize| condition[ic[i]] != 0;
    let total = ic.len();
    let data = match (&a.data, &b.data) {
        (Data::Float(x), Data::Float(y)) => {
            Data::Float((0..total).map(|i| if pick(i) { x[ia[i]] } else { y[ib[i]] }).collect())
        }
        (Data::Int(x), Data::Int(y)) => {
            Data::Int((0..total).map(|i| if pick(i) { x[ia[i]] } else { y[ib[i]] }).collect())
        }
        _ => return Err(invalid("the choices have different types")),
    };
    Ok(Tensor { ty: a.ty, dims, data, grid: None })
}
