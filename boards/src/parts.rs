//! Parts without a board: a table of devices by the start of their ordering code.

use crate::{Board, Dsp, Family, LutRam, Memory, Resources, load};
use netfold_ir::diag::{Code, Diag, nearest};
use serde::Deserialize;

/// The table; its header says where the figures come from.
const TABLE: &str = include_str!("../parts/parts.yaml");

/// One device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    prefix: String,
    family: Family,
    lut: u64,
    ff: u64,
    dsp: u64,
    bram: u64,
    #[serde(default)]
    uram: u64,
    #[serde(default)]
    lutram: u64,
}

fn table() -> Result<Vec<Device>, Diag> {
    serde_yaml::from_str(TABLE).map_err(|e| load::describe("parts.yaml", &e))
}

/// The part of that ordering code.
pub(crate) fn resolve(part: &str) -> Result<Board, Diag> {
    let code = part.trim();
    let lower = code.to_ascii_lowercase();
    let valid =
        (1..=64).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphanumeric() || "._-+/".contains(c));
    let devices = table()?;
    let found = devices
        .iter()
        // A device number that goes on is another device: xczu1 is not the start of xczu19.
        .filter(|d| lower.strip_prefix(&d.prefix).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())))
        .max_by_key(|d| d.prefix.len());
    match found {
        Some(device) if valid => Ok(device.board(code)),
        _ => {
            let stem = lower.split('-').next().unwrap_or_default();
            let prefixes = || devices.iter().map(|d| d.prefix.as_str());
            let help = match nearest(stem, prefixes()) {
                Some(near) => format!("the nearest device with known figures is {near:?}"),
                None => format!("known devices: {}", prefixes().collect::<Vec<_>>().join(", ")),
            };
            Err(Diag::new(Code::Config, format!("part {part:?}"), "netfold has no figures of this part")
                .help(format!("{help}; a board file with the part's figures works too (docs/adding-a-board.md)")))
        }
    }
}

impl Device {
    fn board(&self, part: &str) -> Board {
        let family = self.family;
        Board {
            name: part.to_string(),
            description: format!("part {part}"),
            vendor: family.vendor(),
            family,
            part: part.to_string(),
            clock_mhz: match family {
                Family::Xcup => 200.0,
                Family::Xc7 => 100.0,
                Family::Ecp5 | Family::Gowin => 50.0,
                Family::Ice40 => 24.0,
            },
            clock_source: None,
            resources: Resources {
                lut: self.lut,
                lut_inputs: if family.vendor() == crate::Vendor::Amd { 6 } else { 4 },
                ff: self.ff,
                dsp: (self.dsp > 0).then(|| family.dsp(self.dsp)),
                bram: family.bram(self.bram),
                uram: (self.uram > 0).then(|| memory("URAM288", self.uram, 294_912, 72)),
                spram: self.prefix.contains("up5k").then(|| memory("SB_SPRAM256KA", 4, 262_144, 16)),
                lutram: (self.lutram > 0).then(|| LutRam {
                    lut: self.lutram,
                    bits_per_lut: if family.vendor() == crate::Vendor::Amd { 64 } else { 16 },
                }),
            },
        }
    }
}

fn memory(kind: &str, count: u64, bits: u64, max_width: u32) -> Memory {
    Memory { kind: kind.to_string(), count, bits, max_width }
}

impl Family {
    /// `count` DSP blocks of the family.
    fn dsp(self, count: u64) -> Dsp {
        let (kind, a_bits, b_bits, accumulator_bits) = match self {
            Family::Xc7 => ("DSP48E1", 25, 18, 48),
            Family::Xcup => ("DSP48E2", 27, 18, 48),
            Family::Ecp5 => ("MULT18X18D", 18, 18, 54),
            Family::Ice40 => ("SB_MAC16", 16, 16, 32),
            Family::Gowin => ("MULT18X18", 18, 18, 54),
        };
        Dsp { kind: kind.to_string(), count, a_bits, b_bits, accumulator_bits }
    }

    /// `count` block RAMs of the family.
    fn bram(self, count: u64) -> Memory {
        match self {
            Family::Xc7 => memory("RAMB36E1", count, 36_864, 72),
            Family::Xcup => memory("RAMB36E2", count, 36_864, 72),
            Family::Ecp5 => memory("DP16KD", count, 18_432, 36),
            Family::Ice40 => memory("SB_RAM40_4K", count, 4_096, 16),
            Family::Gowin => memory("SDPB", count, 18_432, 36),
        }
    }
}
