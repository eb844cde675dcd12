//! The files below `firmware/`: the top function, types, parameters, weights and the layer library.

use super::array::Array;
use super::top::{Built, Instance, TopArgument, WordType};
use super::unit::members;
use super::{HlsProject, Io};
use crate::files::Files;
use crate::text::plain;
use askama::Template;
use netfold_ir::diag::Diag;

/// The header library, by name.
const LIBRARY: [(&str, &str); 10] = [
    ("activation.h", include_str!("../../../templates/hls/lib/activation.h")),
    ("combine.h", include_str!("../../../templates/hls/lib/combine.h")),
    ("common.h", include_str!("../../../templates/hls/lib/common.h")),
    ("dense.h", include_str!("../../../templates/hls/lib/dense.h")),
    ("layers.h", include_str!("../../../templates/hls/lib/layers.h")),
    ("program.h", include_str!("../../../templates/hls/lib/program.h")),
    ("reduce.h", include_str!("../../../templates/hls/lib/reduce.h")),
    ("reshape.h", include_str!("../../../templates/hls/lib/reshape.h")),
    ("pixels.h", include_str!("../../../templates/hls/lib/pixels.h")),
    ("window.h", include_str!("../../../templates/hls/lib/window.h")),
];

#[derive(Template)]
#[template(path = "hls/project.cpp", escape = "none")]
struct Source<'a> {
    project: &'a str,
    header: &'a [String],
    arguments: String,
    built: &'a Built,
    steps: Vec<(String, &'a [String])>,
}

#[derive(Template)]
#[template(path = "hls/project.h", escape = "none")]
struct Header<'a> {
    project: &'a str,
    header: &'a [String],
    guard: String,
    arguments: String,
}

#[derive(Template)]
#[template(path = "hls/defines.h", escape = "none")]
struct Defines<'a> {
    header: &'a [String],
    guard: String,
    sizes: Vec<(String, usize, String)>,
    types: &'a [WordType],
}

#[derive(Template)]
#[template(path = "hls/parameters.h", escape = "none")]
struct Parameters<'a> {
    header: &'a [String],
    guard: String,
    includes: Vec<String>,
    blocks: Vec<Block>,
}

struct Block {
    about: String,
    arrays: Vec<String>,
    name: String,
    members: String,
}

#[derive(Template)]
#[template(path = "hls/weights.h", escape = "none")]
struct Weights {
    guard: String,
    definition: String,
}

/// A template's text, with a newline at its end.
pub(super) fn render(template: &impl Template) -> Result<String, Diag> {
    let mut text = template.render().map_err(|e| Diag::internal("HLS template", e.to_string()))?;
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

/// Lines at the top of every file.
pub(super) fn header(project: &HlsProject<'_>, notes: &[String]) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: made by netfold {}, {}, strategy {}, {} ns clock, part {}",
        project.name,
        env!("CARGO_PKG_VERSION"),
        project.io.name(),
        project.strategy.name(),
        project.clock_period_ns,
        project.part
    )];
    lines.extend(notes.iter().map(|n| plain(n)));
    lines
}

/// The files below `firmware/`.
pub(super) fn files(project: &HlsProject<'_>, built: &Built, notes: &[String]) -> Result<Files, Diag> {
    let name = project.name;
    let header = header(project, notes);
    let guard = |what: &str| format!("{}_{what}_H", name.to_ascii_uppercase());
    let design = project.design;
    let about = |i: &Instance| {
        let layer = plain(&design.module(i.module).layer);
        let layer = if layer.is_empty() { String::new() } else { format!("{layer}: ") };
        format!("{layer}{}", i.unit.about)
    };
    let arguments: Vec<String> = built.arguments.iter().map(|a| argument(project.io, a)).collect();
    let arguments = arguments.join(&format!(",\n{}", " ".repeat(name.len() + 6)));
    let mut files = Files::new();
    let steps = built.instances.iter().map(|i| (about(i), i.calls.as_slice())).collect();
    let source = Source { project: name, header: &header, arguments: arguments.clone(), built, steps };
    files.insert(format!("firmware/{name}.cpp"), render(&source)?);
    let head = Header { project: name, header: &header, guard: guard("TOP"), arguments };
    files.insert(format!("firmware/{name}.h"), render(&head)?);

    let sizes = match project.io {
        Io::Parallel => {
            let sized = built.arguments.iter().map(|a| (a.size_name(), a.elements(), plain(&a.model_name)));
            sized.collect()
        }
        Io::Stream => Vec::new(),
    };
    let defines = Defines { header: &header, guard: guard("DEFINES"), sizes, types: &built.types };
    files.insert("firmware/defines.h", render(&defines)?);

    let mut includes = Vec::new();
    let mut blocks = Vec::new();
    for instance in &built.instances {
        let (large, small): (Vec<&Array>, Vec<&Array>) = instance.unit.arrays.iter().partition(|a| a.is_large());
        for array in large {
            let path = format!("weights/{}.h", array.name);
            let guard = guard(&array.name.to_ascii_uppercase());
            let text = render(&Weights { guard, definition: array.definition() })?;
            files.insert(format!("firmware/{path}"), text);
            includes.push(path);
        }
        if let Some(members) = &instance.unit.program {
            let path = format!("programs/{}.h", instance.config);
            let guard = guard(&instance.config.to_ascii_uppercase());
            let definition = format!("// {}\nstruct {}_body {{\n{members}}};\n", about(instance), instance.config);
            files.insert(format!("firmware/{path}"), render(&Weights { guard, definition })?);
            includes.push(path);
        }
        blocks.push(Block {
            about: about(instance),
            arrays: small.iter().map(|a| a.definition()).collect(),
            name: instance.config.clone(),
            members: members(&instance.unit.fields, 1),
        });
    }
    let parameters = Parameters { header: &header, guard: guard("PARAMETERS"), includes, blocks };
    files.insert("firmware/parameters.h", render(&parameters)?);
    for (file, text) in LIBRARY {
        files.insert(format!("firmware/netfold_hls/{file}"), text);
    }
    Ok(files)
}

/// An argument's declaration.
fn argument(io: Io, a: &TopArgument) -> String {
    match io {
        Io::Stream => format!("hls::stream<{}>& {}", a.type_name, a.name),
        Io::Parallel => {
            let constant = if a.output { "" } else { "const " };
            format!("{constant}{} {}[{}]", a.type_name, a.name, a.size_name())
        }
    }
}
