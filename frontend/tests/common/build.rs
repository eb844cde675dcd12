//! A small builder of ONNX models.
#![allow(dead_code, clippy::unwrap_used)]

use netfold_frontend::onnx::proto::*;
use netfold_frontend::onnx::{self};
use netfold_ir::diag::Diags;
use netfold_ir::net::Network;
use netfold_ir::net::eval::evaluate;
use prost::Message;

/// A model under construction: one input `x`, one output `y` unless told otherwise.
pub struct Build {
    pub model: ModelProto,
}

/// An attribute.
pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(i), kind: 2, ..Default::default() }
}

/// An attribute.
pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(f), kind: 1, ..Default::default() }
}

/// An attribute.
pub fn ints(name: &str, v: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: v.to_vec(), kind: 7, ..Default::default() }
}

/// An attribute.
pub fn floats(name: &str, v: &[f32]) -> AttributeProto {
    AttributeProto { name: name.into(), floats: v.to_vec(), kind: 6, ..Default::default() }
}

/// An attribute.
pub fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: Some(s.as_bytes().to_vec()), kind: 3, ..Default::default() }
}

/// A graph input or output of float type; negative sizes are symbolic.
pub fn info(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |&d: &i64| match d {
        ..0 => DimensionProto { dim_value: None, dim_param: Some("N".into()) },
        d => DimensionProto { dim_value: Some(d), dim_param: None },
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: 1, shape: Some(shape) };
    ValueInfoProto { name: name.into(), ty: Some(TypeProto { tensor_type: Some(tensor) }) }
}

impl Build {
    /// A model of one input `x` of shape `dims` and the output `y`.
    pub fn new(opset: i64, dims: &[i64]) -> Build {
        let graph = GraphProto {
            name: "g".into(),
            input: vec![info("x", dims)],
            output: vec![info("y", &[])],
            ..Default::default()
        };
        let opset = OperatorSetIdProto { domain: String::new(), version: opset };
        Build { model: ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset] } }
    }

    /// The graph.
    pub fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().unwrap()
    }

    /// Adds a float constant.
    pub fn f32s(mut self, name: &str, dims: &[i64], data: &[f32]) -> Build {
        let t = TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 1,
            float_data: data.to_vec(),
            ..Default::default()
        };
        self.graph().initializer.push(t);
        self
    }

    /// Adds an INT64 constant.
    pub fn i64s(mut self, name: &str, dims: &[i64], data: &[i64]) -> Build {
        let t = TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 7,
            int64_data: data.to_vec(),
            ..Default::default()
        };
        self.graph().initializer.push(t);
        self
    }

    /// Adds an operator; names are separated by spaces, `-` leaves an input out, `domain:Op` names a domain.
    pub fn op(mut self, op: &str, inputs: &str, outputs: &str, attribute: &[AttributeProto]) -> Build {
        let list = |s: &str| s.split(' ').filter(|n| !n.is_empty()).map(|n| n.replace('-', "")).collect();
        let (domain, op_type) = op.split_once(':').unwrap_or(("", op));
        self.graph().node.push(NodeProto {
            input: list(inputs),
            output: list(outputs),
            name: format!("{op_type}_{outputs}"),
            op_type: op_type.into(),
            domain: domain.into(),
            attribute: attribute.to_vec(),
        });
        self
    }

    /// The encoded model.
    pub fn bytes(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    /// The network.
    pub fn parse(&self) -> Result<Network, Diags> {
        onnx::parse(&self.bytes(), None, "test")
    }

    /// The output for samples `x` (as many as the data holds).
    pub fn run(&self, x: &[f64]) -> Vec<f64> {
        let net = self.parse().unwrap_or_else(|e| panic!("{e}"));
        let n = x.len() / net.inputs[0].shape.iter().product::<usize>();
        evaluate(&net, &[x.to_vec()], n).unwrap().swap_remove(0)
    }

    /// The errors, rendered.
    pub fn errors(&self) -> String {
        match self.parse() {
            Ok(net) => panic!("loaded: {}", net.dump()),
            Err(e) => e.to_string(),
        }
    }
}
