//! `netfold inspect`: what a file holds and what the passes make of it.

use crate::args::DesignArgs;
use crate::flow;
use clap::Args;
use netfold_ir::diag::{Code, Diag, Diags, nearest};
use netfold_ir::hw::Design;
use netfold_passes::pipeline::PASSES;
use std::fmt::Write;
use std::path::PathBuf;

/// Show a network and its intermediate forms.
#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    design: DesignArgs,
    /// Print every operator instead of a summary
    #[arg(long)]
    dump_ir: bool,
    /// Stop after this pass: parse, normalize, quantize, streamline, realize, unroll, fold, lower or size-fifos
    #[arg(long, value_name = "PASS")]
    stop_after: Option<String>,
    /// Write the design as a Graphviz graph
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
}

impl Inspect {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let names = || PASSES.iter().map(|p| p.0);
        let stop = match &self.stop_after {
            None => PASSES.len() - 1,
            Some(pass) => names().position(|n| n == pass).ok_or_else(|| {
                let near = nearest(pass, names()).map(|n| format!("did you mean {n:?}? ")).unwrap_or_default();
                let all: Vec<&str> = names().collect();
                Diag::new(Code::Usage, "--stop-after", format!("there is no pass {pass:?}"))
                    .help(format!("{near}passes in order: {}", all.join(", ")))
            })?,
        };
        let (config, folder) = flow::configuration(&self.design)?;
        let mut net = flow::load(&self.design, &config, &folder)?;
        if stop == 0 {
            net.verify()?;
            return self.print(&net.dump(), None);
        }
        if stop == 1 {
            netfold_passes::normalize::run(&mut net)?;
            net.verify()?;
            return self.print(&net.dump(), None);
        }
        if stop <= 3 {
            let prepared = flow::prepare(&self.design, &config, &folder, &mut net)?;
            let text = if stop == 2 { net.dump() } else { prepared.int.dump() };
            return self.print(&text, None);
        }
        let job = flow::job(&self.design)?;
        if stop == 4 {
            let mut text = job.prepared.int.dump();
            for id in job.prepared.int.graph.topological()? {
                if let Some(r) = job.prepared.realizations.get(&id) {
                    let _ = writeln!(text, "  {:?} is a {}", job.prepared.int.graph.node(id).name, r.function.name());
                }
            }
            return self.print(&text, None);
        }
        let design = job.build()?.design;
        let mut text = if self.dump_ir { job.net.dump() + &job.prepared.int.dump() } else { summary(&job) };
        text += &modules(&design);
        self.print(&text, Some(&design))
    }

    /// Prints the text and writes the graph.
    fn print(&self, text: &str, design: Option<&Design>) -> Result<(), Diags> {
        print!("{text}");
        if let Some(path) = &self.dot {
            let Some(design) = design else {
                return Err(Diag::new(Code::Usage, "--dot", "the graph shows the design, which is not made yet")
                    .help("leave --stop-after out")
                    .into());
            };
            std::fs::write(path, dot(design))
                .map_err(|e| Diag::new(Code::Io, path.display().to_string(), format!("cannot be written: {e}")))?;
        }
        Ok(())
    }
}

/// What the network is, in a few lines.
fn summary(job: &flow::Job) -> String {
    let int = &job.prepared.int;
    let mut out = String::new();
    let _ = writeln!(out, "network {:?}", int.name);
    for p in &int.inputs {
        let ty = int.graph.node(p.node).ty();
        let _ = writeln!(out, "  input  {:?} {:?}: {}", p.name, p.shape, type_name(ty));
    }
    for p in &int.outputs {
        let ty = int.graph.node(p.node).ty();
        let _ = writeln!(out, "  output {:?} {:?}: {}", p.name, p.shape, type_name(ty));
    }
    let _ = writeln!(out, "  {:<40} {:<16} {:>12} {:>10}", "LAYER", "KIND", "SHAPE", "TYPE");
    for id in int.graph.topological().unwrap_or_default() {
        let n = int.graph.node(id);
        let name: String = n.name.escape_debug().to_string().chars().take(40).collect();
        let _ = writeln!(
            out,
            "  {name:<40} {:<16} {:>12} {:>10}",
            n.op.kind(),
            format!("{:?}", n.shape),
            type_name(n.ty())
        );
    }
    out
}

/// `int8`, `uint4`.
fn type_name(ty: netfold_ir::quant::IntType) -> String {
    format!("{}{}", if ty.signed { "int" } else { "uint" }, ty.bits)
}

/// The modules of a design.
fn modules(design: &Design) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "design {}", design.name);
    let _ = writeln!(out, "  {:<50} {:<14} {:>12} {:>8}", "MODULE", "KIND", "CYCLES", "LATENCY");
    for id in design.topological().unwrap_or_default() {
        let m = design.module(id);
        let _ = writeln!(out, "  {:<50} {:<14} {:>12} {:>8}", m.name, m.kind.name(), m.kind.firings(), m.latency());
    }
    out
}

/// The design for Graphviz; module names are identifiers.
fn dot(design: &Design) -> String {
    let mut out = String::from("digraph design {\n  rankdir=LR;\n  node [shape=box];\n");
    for id in design.modules() {
        let m = design.module(id);
        let _ = writeln!(out, "  {} [label=\"{}\\n{} ({} cycles)\"];", m.name, m.name, m.kind.name(), m.kind.firings());
    }
    for (from, to, s) in design.streams() {
        let _ = writeln!(
            out,
            "  {} -> {} [label=\"{} x {} bit, depth {}\"];",
            design.module(from).name,
            design.module(to).name,
            s.lanes,
            s.ty.bits,
            s.depth
        );
    }
    out.push_str("}\n");
    out
}
