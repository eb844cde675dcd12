//! The testbench with its data, and the scripts of the tools.

use super::firmware::{self, render};
use super::top::Built;
use super::{HlsProject, Io};
use crate::files::Files;
use askama::Template;
use netfold_ir::diag::Diag;
use std::fmt::Write;

#[derive(Template)]
#[template(path = "hls/test.cpp", escape = "none")]
struct Testbench<'a> {
    project: &'a str,
    header: &'a [String],
    ports: Vec<TestPort>,
    stream: bool,
    frames: usize,
    input_elements: usize,
}

struct TestPort {
    name: String,
    type_name: String,
    beats: usize,
    lanes: usize,
    elements: usize,
    output: bool,
}

#[derive(Template)]
#[template(path = "hls/build_prj.tcl", escape = "none")]
struct Build<'a> {
    project: &'a str,
    header: &'a [String],
    part: &'a str,
    period: f64,
    uncertainty: f64,
}

#[derive(Template)]
#[template(path = "hls/hls_config.cfg", escape = "none")]
struct Config<'a> {
    project: &'a str,
    header: &'a [String],
    part: &'a str,
    period: f64,
    uncertainty: f64,
}

#[derive(Template)]
#[template(path = "hls/vivado_synth.tcl", escape = "none")]
struct Synth<'a> {
    project: &'a str,
    header: &'a [String],
    part: &'a str,
    period: f64,
}

/// Testbench, data and scripts.
pub(super) fn files(project: &HlsProject<'_>, built: &Built) -> Result<Files, Diag> {
    let header = firmware::header(project, &[]);
    let header = header.as_slice();
    let (name, part) = (project.name, project.part);
    let (period, uncertainty) = (project.clock_period_ns, project.clock_uncertainty_percent);
    let mut files = Files::new();
    let ports = built.arguments.iter().map(|a| TestPort {
        name: a.name.clone(),
        type_name: a.type_name.clone(),
        beats: a.stream.beats,
        lanes: a.stream.lanes,
        elements: a.elements(),
        output: a.output,
    });
    let ports: Vec<TestPort> = ports.collect();
    let (stream, frames) = (project.io == Io::Stream, project.vectors.frames);
    let input_elements = ports.iter().filter(|p| !p.output).map(|p| p.elements).sum();
    let testbench = Testbench { project: name, header, ports, stream, frames, input_elements };
    files.insert(format!("{name}_test.cpp"), render(&testbench)?);
    let vectors = &project.vectors;
    files.insert("tb_data/tb_input_features.dat", table(&vectors.inputs, vectors.frames));
    files.insert("tb_data/tb_output_predictions.dat", table(&vectors.outputs, vectors.frames));
    files.insert("build_prj.tcl", render(&Build { project: name, header, part, period, uncertainty })?);
    files.insert("hls_config.cfg", render(&Config { project: name, header, part, period, uncertainty })?);
    files.insert("vivado_synth.tcl", render(&Synth { project: name, header, part, period })?);
    Ok(files)
}

/// One line a frame: the integers of all ports in turn.
fn table(ports: &[Vec<i64>], frames: usize) -> String {
    let mut out = String::new();
    for frame in 0..frames {
        let mut separator = "";
        for values in ports {
            let n = values.len() / frames;
            for v in &values[frame * n..(frame + 1) * n] {
                let _ = write!(out, "{separator}{v}");
                separator = " ";
            }
        }
        out.push('\n');
    }
    out
}
