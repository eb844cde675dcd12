//! `netfold estimate`: figures without files, of one design or of many.

use crate::args::DesignArgs;
use crate::models::Model;
use crate::report::Report;
use crate::{flow, models, report, store, vitis};
use clap::{Args, ValueEnum};
use netfold_ir::diag::{Code, Diag, Diags};
use rayon::prelude::*;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// For which backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// SystemVerilog, synthesized
    Verilog,
    /// The HLS project, as Vitis HLS builds it
    Vitis,
}

/// Predict designs without generating them. Several models, configurations (*.yaml) or folders of them give JSON lines.
#[derive(Debug, Args)]
pub struct Estimate {
    #[command(flatten)]
    design: DesignArgs,
    /// Further models, configurations or folders of them
    #[arg(value_name = "MODEL")]
    more: Vec<PathBuf>,
    /// What would be generated; the configuration's backend, or verilog, when left out
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Print the estimate as JSON
    #[arg(long)]
    json: bool,
}

/// One line of many.
#[derive(Serialize)]
struct Line<'a> {
    /// The file.
    file: String,
    /// Its figures.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorLine<'a>>,
}

/// An error as data.
#[derive(Serialize)]
struct ErrorLine<'a> {
    code: &'static str,
    place: &'a str,
    cause: &'a str,
    help: &'a str,
}

impl Estimate {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let model = self.design.surrogate.as_deref().map(models::load).transpose()?;
        let first = self.design.model.iter().cloned();
        let asked: Vec<PathBuf> = first.chain(self.more.iter().cloned()).collect();
        let many = asked.len() > 1 || asked.iter().any(|p| p.is_dir());
        if !many {
            let report = self.one(&args_of(&self.design, asked.first().map(PathBuf::as_path)), model.as_ref())?;
            if self.json {
                print!("{}", store::to_json(&report, true)?);
            } else {
                print!("{}", report.table());
            }
            return Ok(());
        }
        let mut files = Vec::new();
        for path in &asked {
            if path.is_dir() { collect(path, DEPTH, &mut files)? } else { files.push(path.clone()) }
        }
        if files.is_empty() {
            let place = asked.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(Diag::new(Code::Usage, place, "no *.onnx and no *.yaml file is there").into());
        }
        let lines: Vec<Result<(String, i32), Diag>> =
            files.par_iter().map(|file| self.line(file, model.as_ref())).collect();
        let mut failed = Vec::new();
        for line in lines {
            let (text, status) = line?;
            print!("{text}");
            failed.extend((status != 0).then_some(status));
        }
        let Some(&worst) = failed.iter().max() else { return Ok(()) };
        let code = if worst > 1 { Code::Invalid } else { Code::DoesNotFit };
        let cause = format!("{} of {} could not be estimated", failed.len(), files.len());
        Err(Diag::new(code, "", cause).help("the lines with `errors` say why").into())
    }

    /// One line of many, and the exit status that it stands for.
    fn line(&self, file: &Path, model: Option<&Model>) -> Result<(String, i32), Diag> {
        let result = self.one(&args_of(&self.design, Some(file)), model);
        let (report, diags) = match result {
            Ok(report) => (Some(report), Diags::new()),
            Err(diags) => (None, diags),
        };
        let errors =
            diags.iter().map(|d| ErrorLine { code: d.code.as_str(), place: &d.place, cause: &d.cause, help: &d.help });
        let line = Line { file: file.display().to_string(), report: report.as_ref(), errors: errors.collect() };
        let status = if report.is_some() { 0 } else { diags.exit_status() };
        Ok((store::to_json(&line, false)?, status))
    }

    fn one(&self, args: &DesignArgs, model: Option<&Model>) -> Result<Report, Diags> {
        if args.model.is_none()
            && let Some(path) = args.config.as_deref().filter(|_| self.design.config.is_none())
            && flow::configuration(args)?.0.model.onnx.is_none()
        {
            return Err(Diag::new(Code::Config, path.display().to_string(), "the configuration names no model")
                .help("write `model: {onnx: FILE}` or hls4ml's `OnnxModel: FILE`, or give the model and -c")
                .into());
        }
        let mut job = flow::job_with(args, model.cloned())?;
        let configured = job.config.backend == Some(netfold_frontend::config::Backend::Vitis);
        let backend = self.backend.unwrap_or(if configured { Backend::Vitis } else { Backend::Verilog });
        if matches!(backend, Backend::Vitis) {
            job.for_hls();
        }
        let folded = job.build()?;
        match backend {
            Backend::Verilog => Ok(report::report(&job, &folded)?.0),
            Backend::Vitis => vitis::report(&job, &folded.design, model.map(Model::columns).transpose()?),
        }
    }
}

/// Folders below a folder that are looked into.
const DEPTH: usize = 4;

/// Whether a file is a configuration.
fn is_config(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// The arguments for one file: a model, or a configuration that names one.
fn args_of(args: &DesignArgs, file: Option<&Path>) -> DesignArgs {
    let mut args = args.clone();
    args.model = file.map(Path::to_path_buf);
    if let Some(path) = file.filter(|p| is_config(p)) {
        args.config = Some(path.to_path_buf());
        args.model = None;
    }
    args
}

/// Models and configurations below a folder, in the order of their names.
fn collect(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<(), Diag> {
    let failed = |e: std::io::Error| Diag::new(Code::Io, folder.display().to_string(), format!("cannot be read: {e}"));
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(failed)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(failed)?.into_iter().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.is_symlink() {
            if depth > 0 {
                collect(&path, depth - 1, out)?;
            }
        } else if is_config(&path) || path.extension().is_some_and(|e| e == "onnx") {
            out.push(path);
        }
    }
    Ok(())
}
