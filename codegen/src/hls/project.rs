//! What a project says about itself in `netfold_hls.json`: enough to simulate it and to compare the tool's reports with.

use super::top::Built;
use super::{HlsProject, Io};
use crate::files::Files;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::Kind;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the description in a project's folder.
pub(super) const FILE: &str = "netfold_hls.json";

/// A port of the top function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name in the model (data, not an identifier).
    pub name: String,
    /// Identifier of the port.
    pub id: String,
    /// C++ type of a stream's word or of an array's element, as `defines.h` defines it.
    pub type_name: String,
    /// Bits of an element.
    pub bits: u32,
    /// Whether elements are signed.
    pub signed: bool,
    /// Elements a beat.
    pub lanes: usize,
    /// Beats a frame.
    pub beats: usize,
}

/// A module of the design with what its C++ costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectLayer {
    /// Instance name.
    pub module: String,
    /// Layer of the network (data).
    pub layer: String,
    /// Kind of module.
    pub kind: String,
    /// Cycles a frame.
    pub cycles: usize,
    /// Multiplications that a multiplier does for one vector; `None` for modules without weights.
    pub reuse: Option<usize>,
}

/// A generated project, as its description has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Name of the project and of the top function.
    pub project: String,
    /// Header of the top function, relative to the project's folder.
    pub header: String,
    /// All files of the C simulation, relative to the project's folder: those ending in `.cpp` are compiled.
    pub sources: Vec<String>,
    /// Folders to search for headers.
    pub include: Vec<String>,
    /// `io_stream` or `io_parallel`.
    pub io: String,
    /// Strategy asked for.
    pub strategy: String,
    /// Whether the top function is one pipeline, everything unrolled.
    pub unrolled: bool,
    /// Ordering code of the device.
    pub part: String,
    /// Clock period in ns.
    pub clock_period_ns: f64,
    /// Predicted initiation interval in cycles, without the filling of pipelines.
    pub interval_cycles: u64,
    /// Inputs in the order of the arguments.
    pub inputs: Vec<Port>,
    /// Outputs, behind them.
    pub outputs: Vec<Port>,
    /// Modules in the order of the calls.
    pub layers: Vec<ProjectLayer>,
    /// What was decided and why.
    pub notes: Vec<String>,
}

impl Project {
    /// The description in a set of files.
    ///
    /// # Errors
    /// [`Code::Format`] when there is none or it cannot be read.
    pub fn of(files: &Files) -> Result<Project, Diag> {
        let bytes = files.get(FILE).ok_or_else(|| Diag::new(Code::Format, FILE, "these files are no HLS project"))?;
        Project::parse(FILE, bytes)
    }

    /// The description in a project's folder.
    ///
    /// # Errors
    /// [`Code::Io`] when there is none, [`Code::Format`] when it cannot be read.
    pub fn load(dir: &Path) -> Result<Project, Diag> {
        let path = dir.join(FILE);
        let place = path.display().to_string();
        let bytes = std::fs::read(&path).map_err(|e| {
            Diag::new(Code::Io, &place, e.to_string()).help("give the folder of a project made with --backend vitis")
        })?;
        Project::parse(&place, &bytes)
    }

    fn parse(place: &str, bytes: &[u8]) -> Result<Project, Diag> {
        serde_json::from_slice(bytes).map_err(|e| Diag::new(Code::Format, place, e.to_string()))
    }

    /// Whether a file, by its path below the project's folder, is part of the C simulation.
    pub fn simulates(&self, path: &str) -> bool {
        self.sources.iter().any(|s| s == path)
    }

    /// Whether tensors travel as arrays.
    pub fn is_parallel(&self) -> bool {
        self.io == Io::Parallel.name()
    }
}

/// The description as JSON text.
pub(super) fn describe(
    project: &HlsProject<'_>,
    built: &Built,
    unrolled: bool,
    notes: &[String],
    sources: Vec<String>,
) -> Result<String, Diag> {
    let design = project.design;
    let port = |a: &super::top::TopArgument| Port {
        name: a.model_name.clone(),
        id: a.id.clone(),
        type_name: a.type_name.clone(),
        bits: a.stream.ty.bits,
        signed: a.stream.ty.signed,
        lanes: a.stream.lanes,
        beats: a.stream.beats,
    };
    let layers = built.instances.iter().map(|i| {
        let module = design.module(i.module);
        let reuse = match &module.kind {
            Kind::Mvu(m) => Some(m.neuron_fold() * m.synapse_fold()),
            Kind::Vvu(v) => Some((v.channels() / v.pe) * (v.weights.cols / v.simd)),
            _ => None,
        };
        ProjectLayer {
            module: module.name.clone(),
            layer: module.layer.clone(),
            kind: module.kind.name().to_string(),
            cycles: i.unit.steps,
            reuse,
        }
    });
    let name = project.name;
    let described = Project {
        project: name.to_string(),
        header: format!("firmware/{name}.h"),
        sources,
        include: vec!["firmware".to_string()],
        io: project.io.name().to_string(),
        strategy: project.strategy.name().to_string(),
        unrolled,
        part: project.part.to_string(),
        clock_period_ns: project.clock_period_ns,
        interval_cycles: super::interval_cycles(design, unrolled),
        inputs: built.arguments.iter().filter(|a| !a.output).map(port).collect(),
        outputs: built.arguments.iter().filter(|a| a.output).map(port).collect(),
        layers: layers.collect(),
        notes: notes.to_vec(),
    };
    let mut text = serde_json::to_string_pretty(&described).map_err(|e| Diag::internal(name, e.to_string()))?;
    text.push('\n');
    Ok(text)
}
