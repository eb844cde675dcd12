//! A hardware design as text (JSON or YAML through serde): what a table of synthesized designs stores, so that anything that is
//! known of a design can be computed again from the table alone. Reading verifies everything.

use super::{Design, Kind, Module, ModuleId, Stream, TopPort};
use crate::diag::{Code, Diag, Diags};
use crate::net::Affine;
use serde::{Deserialize, Serialize};

/// Version of the form; other versions are refused.
pub const VERSION: u32 = 1;

/// A design as text. Modules stand in the order in which they were added; streams and ports refer to them by position.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesignFile {
    version: u32,
    name: String,
    modules: Vec<ModuleFile>,
    streams: Vec<StreamFile>,
    inputs: Vec<PortFile>,
    outputs: Vec<PortFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleFile {
    name: String,
    layer: String,
    kind: Kind,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StreamFile {
    from: usize,
    to: usize,
    #[serde(flatten)]
    stream: Stream,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortFile {
    name: String,
    id: String,
    module: usize,
    real: Affine,
}

impl From<&Design> for DesignFile {
    fn from(design: &Design) -> DesignFile {
        let modules = design.modules();
        let place = |id: ModuleId| modules.binary_search(&id).unwrap_or(usize::MAX);
        let port = |p: &TopPort| PortFile {
            name: p.name.clone(),
            id: p.id.clone(),
            module: place(p.module),
            real: p.real.clone(),
        };
        DesignFile {
            version: VERSION,
            name: design.name.clone(),
            modules: modules
                .iter()
                .map(|id| {
                    let Module { name, layer, kind } = design.module(*id).clone();
                    ModuleFile { name, layer, kind }
                })
                .collect(),
            streams: design
                .streams()
                .into_iter()
                .map(|(from, to, stream)| StreamFile { from: place(from), to: place(to), stream: stream.clone() })
                .collect(),
            inputs: design.inputs.iter().map(port).collect(),
            outputs: design.outputs.iter().map(port).collect(),
        }
    }
}

impl TryFrom<DesignFile> for Design {
    type Error = Diags;

    fn try_from(file: DesignFile) -> Result<Design, Diags> {
        let bad = |cause: &str| Diags::from(Diag::new(Code::Format, &file.name, cause));
        if file.version != VERSION {
            return Err(bad("the stored design is of another version of netfold"));
        }
        let mut design = Design::new(&file.name);
        let mut ids = Vec::with_capacity(file.modules.len());
        for m in &file.modules {
            if !well_formed(&m.kind) {
                return Err(bad("a module has parameters out of range"));
            }
            ids.push(design.add(Module { name: m.name.clone(), layer: m.layer.clone(), kind: m.kind.clone() }));
        }
        let find = |i: usize| ids.get(i).copied().ok_or_else(|| bad("a reference to a module that is not there"));
        for s in &file.streams {
            design.connect(find(s.from)?, find(s.to)?, s.stream.clone());
        }
        let ports = |list: &[PortFile]| -> Result<Vec<TopPort>, Diags> {
            let port = |p: &PortFile| {
                Ok(TopPort { name: p.name.clone(), id: p.id.clone(), module: find(p.module)?, real: p.real.clone() })
            };
            list.iter().map(port).collect()
        };
        let (inputs, outputs) = (ports(&file.inputs)?, ports(&file.outputs)?);
        design.inputs = inputs;
        design.outputs = outputs;
        design.verify()?;
        Ok(design)
    }
}

/// Counts that the verifier divides by and lists that it takes the first entry of.
fn well_formed(kind: &Kind) -> bool {
    let some = |v: &[i64]| !v.is_empty();
    let positive = |v: &[usize]| v.iter().all(|n| *n > 0);
    positive(&kind.input_lanes())
        && positive(&kind.output_lanes())
        && match kind {
            Kind::Mvu(m) => positive(&[m.pe, m.simd, m.pixels, m.weights.rows, m.weights.cols]),
            Kind::Vvu(v) => positive(&[v.pe, v.simd, v.multiplicity, v.weights.rows, v.weights.cols]),
            Kind::Swu(s) => {
                let w = &s.window;
                positive(&s.size)
                    && positive(&s.output)
                    && positive(&[w.kernel, w.stride, w.dilation].concat())
                    && s.channels > 0
                    && some(&s.pad)
            }
            Kind::LinComb { coefficients, constant, .. } => {
                some(constant) && coefficients.iter().all(|c| some(c)) && !coefficients.is_empty()
            }
            Kind::Pad { value, .. } => some(value),
            Kind::Upsample { factors, .. } => positive(factors),
            Kind::Act { function, .. } => function.is_well_formed(),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hw::{Matrix, Memory, Multiplier, Mvu};
    use crate::quant::IntType;
    use std::sync::Arc;

    fn unit() -> Design {
        let mut design = Design::new("unit");
        let mut add = |name: &str, kind| design.add(Module { name: name.into(), layer: "l".into(), kind });
        let source = add("x", Kind::Source { lanes: 1, beats: 2 });
        let weights = Arc::new(Matrix { rows: 2, cols: 2, data: vec![1, -2, 0, 3] });
        let mvu = Mvu {
            weights,
            pe: 1,
            simd: 1,
            vectors: 1,
            early: 0,
            pixels: 1,
            multiplier: Multiplier::Lut,
            memory: Memory::Lut,
        };
        let mvu = add("m", Kind::Mvu(mvu));
        let sink = add("y", Kind::Sink { lanes: 1, beats: 2 });
        let stream =
            |bits| Stream { from_port: 0, to_port: 0, ty: IntType::new(true, bits), lanes: 1, beats: 2, depth: 2 };
        design.connect(source, mvu, stream(4));
        design.connect(mvu, sink, stream(7));
        let port = |module| TopPort { name: "p".into(), id: "p".into(), module, real: Affine::identity() };
        design.inputs.push(port(source));
        design.outputs.push(port(sink));
        design
    }

    #[test]
    fn refuses_what_refers_to_nothing() {
        let mut file = DesignFile::from(&unit());
        assert!(Design::try_from(file.clone()).is_ok());
        file.streams[0].from = 7;
        assert!(Design::try_from(file.clone()).is_err());
        file = DesignFile::from(&unit());
        file.version = 2;
        assert!(Design::try_from(file).is_err());
        let mut file = DesignFile::from(&unit());
        if let Kind::Mvu(m) = &mut file.modules[1].kind {
            m.pe = 0;
        }
        assert!(Design::try_from(file).is_err());
    }
}
