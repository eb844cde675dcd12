//! `csynth.xml`: what C synthesis estimates.

use super::Resources;
use netfold_ir::diag::{Code, Diag};
use roxmltree::{Document, Node};
use serde::Serialize;

/// Estimates of C synthesis.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Csynth {
    /// Version of the tool.
    pub version: Option<String>,
    /// Top function.
    pub top: Option<String>,
    /// Ordering code of the device.
    pub part: Option<String>,
    /// Clock period asked for, in ns.
    pub target_clock_ns: Option<f64>,
    /// Part of the period kept free, in ns.
    pub clock_uncertainty_ns: Option<f64>,
    /// Clock period that the tool expects to reach, in ns.
    pub estimated_clock_ns: Option<f64>,
    /// Cycles of the slowest frame; `None` where the tool could not bound them.
    pub latency_cycles: Option<u64>,
    /// Cycles of the fastest frame.
    pub latency_min_cycles: Option<u64>,
    /// Initiation interval in cycles, the largest.
    pub interval_cycles: Option<u64>,
    /// What the design uses.
    pub resources: Resources,
    /// What the device has.
    pub available: Resources,
    /// The same for every function below the top, in the report's order.
    pub modules: Vec<CsynthModule>,
}

/// A function below the top.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CsynthModule {
    /// Name that the tool gave it.
    pub name: String,
    /// Cycles of the slowest call.
    pub latency_cycles: Option<u64>,
    /// Initiation interval in cycles, the largest.
    pub interval_cycles: Option<u64>,
    /// What it uses.
    pub resources: Resources,
}

/// Text at a path of element names below `node`.
fn text<'a>(node: Node<'a, '_>, path: &[&str]) -> Option<&'a str> {
    let found = path.iter().try_fold(node, |n, name| n.children().find(|c| c.has_tag_name(*name)))?;
    found.text().map(str::trim).filter(|t| !t.is_empty())
}

fn number(node: Node<'_, '_>, path: &[&str]) -> Option<f64> {
    text(node, path)?.parse().ok().filter(|v: &f64| v.is_finite())
}

fn cycles(node: Node<'_, '_>, path: &[&str]) -> Option<u64> {
    text(node, path)?.parse().ok()
}

/// Resources below `parent`; the names differ between the tool's versions.
fn resources(node: Node<'_, '_>, parent: &str) -> Resources {
    let of = |names: &[&str]| names.iter().find_map(|n| number(node, &["AreaEstimates", parent, n]));
    Resources {
        lut: of(&["LUT"]),
        ff: of(&["FF"]),
        dsp: of(&["DSP", "DSP48E"]),
        bram36: of(&["BRAM_18K"]).map(|n| n / 2.0),
        uram: of(&["URAM"]),
    }
}

const LATENCY: [&str; 2] = ["PerformanceEstimates", "SummaryOfOverallLatency"];

fn performance(node: Node<'_, '_>, name: &str) -> Option<u64> {
    cycles(node, &[LATENCY[0], LATENCY[1], name])
}

/// Reads `csynth.xml`, or the report of one function in the same form.
///
/// # Errors
/// [`Code::Format`] when it is not XML or not such a report.
pub fn parse(place: &str, xml: &str) -> Result<Csynth, Diag> {
    let document = Document::parse(xml).map_err(|e| Diag::new(Code::Format, place, e.to_string()))?;
    let root = document.root_element();
    if !root.children().any(|n| n.has_tag_name("PerformanceEstimates")) {
        return Err(Diag::new(Code::Format, place, "the file is no report of C synthesis")
            .help("it should be syn/report/csynth.xml of the project's solution"));
    }
    let user = |name: &str| text(root, &["UserAssignments", name]);
    let modules = root
        .children()
        .filter(|n| n.has_tag_name("ModuleInformation"))
        .flat_map(|n| n.children().filter(|m| m.has_tag_name("Module")))
        .map(|m| CsynthModule {
            name: text(m, &["Name"]).unwrap_or_default().to_string(),
            latency_cycles: performance(m, "Worst-caseLatency"),
            interval_cycles: performance(m, "PipelineInitiationInterval")
                .or_else(|| performance(m, "Interval-max"))
                .or_else(|| performance(m, "PipelineII")),
            resources: resources(m, "Resources"),
        });
    Ok(Csynth {
        version: text(root, &["ReportVersion", "Version"]).map(str::to_string),
        top: user("TopModelName").map(str::to_string),
        part: user("Part").map(str::to_string),
        target_clock_ns: user("TargetClockPeriod").and_then(|t| t.parse().ok()),
        clock_uncertainty_ns: user("ClockUncertainty").and_then(|t| t.parse().ok()),
        estimated_clock_ns: number(root, &["PerformanceEstimates", "SummaryOfTimingAnalysis", "EstimatedClockPeriod"]),
        latency_cycles: performance(root, "Worst-caseLatency"),
        latency_min_cycles: performance(root, "Best-caseLatency"),
        interval_cycles: performance(root, "Interval-max"),
        resources: resources(root, "Resources"),
        available: resources(root, "AvailableResources"),
        modules: modules.collect(),
    })
}
