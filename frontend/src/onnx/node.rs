//! One operator of the file as the conversion functions see it: attributes, resolved inputs, wanted outputs.

use super::fault::{Fault, Res, invalid, malformed, unsupported};
use super::proto::{AttributeProto, NodeProto};
use super::tensor::{Const, Tensor};
use super::value::Val;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// An operator with its inputs.
pub(super) struct OpNode<'a> {
    /// The message.
    pub proto: &'a NodeProto,
    /// Unique name of the node in the network.
    pub name: String,
    /// Operator set version of the node's domain.
    pub opset: i64,
    /// Whether the node is of QONNX's channels-last domain.
    pub channels_last: bool,
    /// Inputs; `None` where left out.
    pub inputs: Vec<Option<Val>>,
    /// Which outputs are used.
    pub used: Vec<bool>,
    /// Folder for external data of tensor attributes.
    pub base: Option<&'a Path>,
    read: RefCell<Vec<bool>>,
}

impl<'a> OpNode<'a> {
    /// A node without inputs yet.
    pub fn new(proto: &'a NodeProto, name: String, opset: i64, base: Option<&'a Path>) -> OpNode<'a> {
        OpNode {
            proto,
            name,
            opset,
            channels_last: proto.domain.ends_with("channels_last"),
            inputs: Vec::new(),
            used: Vec::new(),
            base,
            read: RefCell::new(vec![false; proto.attribute.len()]),
        }
    }

    /// Operator type.
    pub fn op(&self) -> &str {
        &self.proto.op_type
    }

    /// Finds an attribute and marks it as understood.
    fn attr(&self, name: &str) -> Option<&'a AttributeProto> {
        let i = self.proto.attribute.iter().position(|a| a.name == name)?;
        self.read.borrow_mut()[i] = true;
        Some(&self.proto.attribute[i])
    }

    /// Marks attributes that have no effect on the result as understood.
    pub fn ignore(&self, names: &[&str]) {
        for name in names {
            self.attr(name);
        }
    }

    /// The error for attributes that no conversion looked at.
    pub fn unread(&self) -> Option<Fault> {
        let read = self.read.borrow();
        let names: Vec<String> = (self.proto.attribute.iter().zip(read.iter()))
            .filter(|(_, r)| !**r)
            .map(|(a, _)| format!("{:?}", a.name))
            .collect();
        (!names.is_empty())
            .then(|| unsupported(format!("attribute {} is not supported in opset {}", names.join(", "), self.opset)))
    }

    /// An integer attribute.
    pub fn int_opt(&self, name: &str) -> Res<Option<i64>> {
        self.attr(name).map(|a| a.i.map_or_else(|| self.attr_error(name, "an integer"), Ok)).transpose()
    }

    /// An integer attribute with a default.
    pub fn int(&self, name: &str, default: i64) -> Res<i64> {
        Ok(self.int_opt(name)?.unwrap_or(default))
    }

    /// A float attribute.
    pub fn float_opt(&self, name: &str) -> Res<Option<f64>> {
        self.attr(name).map(|a| a.f.map_or_else(|| self.attr_error(name, "a float"), |f| Ok(f64::from(f)))).transpose()
    }

    /// A float attribute with a default.
    pub fn float(&self, name: &str, default: f64) -> Res<f64> {
        Ok(self.float_opt(name)?.unwrap_or(default))
    }

    /// A list of integers.
    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attr(name).map(|a| a.ints.as_slice())
    }

    /// A list of floats.
    pub fn floats(&self, name: &str) -> Option<Vec<f64>> {
        self.attr(name).map(|a| a.floats.iter().map(|&f| f64::from(f)).collect())
    }

    /// A text attribute with a default.
    pub fn text(&self, name: &str, default: &str) -> Res<String> {
        match self.attr(name) {
            None => Ok(default.to_string()),
            Some(a) => match a.s.as_deref().map(std::str::from_utf8) {
                Some(Ok(s)) => Ok(s.to_string()),
                _ => self.attr_error(name, "a text"),
            },
        }
    }

    /// A tensor attribute.
    pub fn tensor(&self, name: &str) -> Res<Option<Tensor>> {
        let Some(a) = self.attr(name) else { return Ok(None) };
        let Some(t) = &a.t else { return self.attr_error(name, "a tensor") };
        Tensor::from_proto(t, self.base).map(Some)
    }

    /// The error for an attribute of the wrong type.
    fn attr_error<T>(&self, name: &str, wanted: &str) -> Res<T> {
        Err(malformed(format!("attribute {name:?} is not {wanted}")))
    }

    /// Input `i`, if present.
    pub fn input(&self, i: usize) -> Option<&Val> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    /// Input `i`, which must be there.
    pub fn required(&self, i: usize) -> Res<&Val> {
        self.input(i).ok_or_else(|| invalid(format!("input {i} is missing")))
    }

    /// Input `i` as a constant, if present; `what` names it in the error.
    pub fn const_opt(&self, i: usize, what: &str) -> Res<Option<Const>> {
        match self.input(i) {
            None => Ok(None),
            Some(Val::Const(c)) => Ok(Some(Rc::clone(c))),
            Some(Val::Data(_) | Val::Quantized(..)) => Err(unsupported(format!(
                "the {what} (input {i}) must be a constant, but depends on the network's inputs"
            ))),
            Some(Val::Poisoned) => Err(invalid(format!("the {what} (input {i}) could not be read"))),
        }
    }

    /// Input `i` as a constant.
    pub fn constant(&self, i: usize, what: &str) -> Res<Const> {
        self.const_opt(i, what)?.ok_or_else(|| invalid(format!("the {what} (input {i}) is missing")))
    }

    /// Constant integers that are an attribute before opset `since` and input `i` from then on.
    pub fn ints_or_input(&self, name: &str, i: usize, since: i64) -> Res<Option<Vec<i64>>> {
        if self.opset >= since {
            return self.const_opt(i, name)?.map(|c| c.as_ints().map(<[i64]>::to_vec)).transpose();
        }
        Ok(self.ints(name).map(<[i64]>::to_vec))
    }

    /// Whether every input that is there is a constant.
    pub fn all_constant(&self) -> bool {
        self.inputs.iter().flatten().all(|v| matches!(v, Val::Const(_)))
    }
}
