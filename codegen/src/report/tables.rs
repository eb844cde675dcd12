//! Text reports: the tables of C/RTL cosimulation and of Vivado.

use super::Resources;
use netfold_ir::diag::{Code, Diag};
use serde::Serialize;

/// What cosimulation measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cosim {
    /// Language of the RTL that was simulated.
    pub language: String,
    /// `Pass`, `Fail` or what else the report says.
    pub status: String,
    /// Latency in cycles: smallest, mean, largest.
    pub latency_cycles: [Option<f64>; 3],
    /// Interval in cycles: smallest, mean, largest.
    pub interval_cycles: [Option<f64>; 3],
}

/// Timing after synthesis or implementation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Worst slack of setup in ns; negative when the clock is missed.
    pub worst_slack_ns: Option<f64>,
    /// Total negative slack in ns.
    pub total_negative_slack_ns: Option<f64>,
    /// Worst slack of hold in ns.
    pub worst_hold_slack_ns: Option<f64>,
    /// Period of the clock in ns.
    pub clock_period_ns: Option<f64>,
    /// Highest frequency that follows from period and slack, in MHz.
    pub fmax_mhz: Option<f64>,
}

/// Cells of a table row drawn with `|`.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// Reads `PROJECT_cosim.rpt`.
///
/// # Errors
/// [`Code::Format`] when no row of a simulated language is in it.
pub fn cosim(place: &str, report: &str) -> Result<Cosim, Diag> {
    let number = |cell: Option<&&str>| cell.and_then(|c| c.parse::<f64>().ok());
    let row = report.lines().filter_map(cells).find(|row| {
        row.len() >= 8 && matches!(row[0], "Verilog" | "VHDL" | "SystemC") && row[1] != "NA" && !row[1].is_empty()
    });
    let row = row.ok_or_else(|| {
        Diag::new(Code::Format, place, "no result of a simulation is in the report")
            .help("run cosimulation again: build_prj.tcl with cosim=1")
    })?;
    let three = |first: usize| [0, 1, 2].map(|i| number(row.get(first + i)));
    Ok(Cosim {
        language: row[0].to_string(),
        status: row[1].to_string(),
        latency_cycles: three(2),
        interval_cycles: three(5),
    })
}

/// Reads a utilization report of Vivado (`report_utilization`): what is used, and what the device has.
///
/// # Errors
/// [`Code::Format`] when no LUT row is in it.
pub fn utilization(place: &str, report: &str) -> Result<(Resources, Resources), Diag> {
    let mut header: Option<Vec<&str>> = None;
    let (mut used, mut available) = (Resources::default(), Resources::default());
    for line in report.lines() {
        let Some(row) = cells(line) else {
            // A rule stands between the header and the rows; anything else ends the table.
            if !line.trim_start().starts_with('+') {
                header = None;
            }
            continue;
        };
        if row.contains(&"Used") {
            header = Some(row);
            continue;
        }
        let Some(columns) = &header else { continue };
        let value = |name: &str| columns.iter().position(|c| *c == name).and_then(|i| row.get(i)?.parse::<f64>().ok());
        let name = row[0].trim_end_matches('*');
        let (used, available) = match name {
            "CLB LUTs" | "Slice LUTs" => (&mut used.lut, &mut available.lut),
            "CLB Registers" | "Slice Registers" => (&mut used.ff, &mut available.ff),
            "DSPs" | "DSP Slices" => (&mut used.dsp, &mut available.dsp),
            "Block RAM Tile" => (&mut used.bram36, &mut available.bram36),
            "URAM" => (&mut used.uram, &mut available.uram),
            _ => continue,
        };
        // The first table that names a resource is the summary; later ones repeat parts of it.
        if used.is_none() {
            (*used, *available) = (value("Used"), value("Available"));
        }
    }
    if used.lut.is_none() {
        return Err(Diag::new(Code::Format, place, "no count of LUTs is in the report")
            .help("it should come from Vivado's report_utilization"));
    }
    Ok((used, available))
}

/// Reads a timing report of Vivado (`report_timing_summary`).
///
/// # Errors
/// [`Code::Format`] when no summary is in it.
pub fn timing(place: &str, report: &str) -> Result<Timing, Diag> {
    let mut lines = report.lines();
    let header = lines.by_ref().find(|l| l.contains("WNS(ns)") && l.contains("TNS(ns)"));
    let Some(header) = header else {
        return Err(Diag::new(Code::Format, place, "no timing summary is in the report")
            .help("it should come from Vivado's report_timing_summary"));
    };
    let columns: Vec<&str> = split_columns(header);
    let row = lines.by_ref().find(|l| !l.trim().is_empty() && !l.trim_start().starts_with('-')).unwrap_or_default();
    let values: Vec<&str> = row.split_whitespace().collect();
    let value = |name: &str| {
        let at = columns.iter().position(|c| c.starts_with(name))?;
        values.get(at)?.parse::<f64>().ok()
    };
    let mut clocks = report.lines().skip_while(|l| !(l.contains("Period(ns)") && l.contains("Waveform(ns)")));
    let clock = clocks.by_ref().skip(1).find(|l| !l.trim().is_empty() && !l.trim_start().starts_with('-'));
    // name, {rise fall}, period, frequency
    let period = clock.and_then(|l| l.rsplit_once('}')?.1.split_whitespace().next()?.parse::<f64>().ok());
    let slack = value("WNS");
    Ok(Timing {
        worst_slack_ns: slack,
        total_negative_slack_ns: value("TNS(ns)"),
        worst_hold_slack_ns: value("WHS"),
        clock_period_ns: period,
        fmax_mhz: slack.zip(period).map(|(s, p)| p - s).filter(|d| *d > 0.0).map(|d| 1000.0 / d),
    })
}

/// Names in a header that are apart by two blanks or more.
fn split_columns(header: &str) -> Vec<&str> {
    header.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect()
}
