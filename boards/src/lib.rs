//! Boards and parts: what a target device holds, and the clock it is meant to run at.
//!
//! One YAML file a board, `boards/*.yaml`, embedded in the binary; a user's own file has the same keys
//! (`docs/adding-a-board.md`). Parts that a configuration names without a board come from `parts/parts.yaml`.

mod load;
mod parts;

use netfold_ir::diag::{Code, Diag, nearest};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The boards in the binary: file name and text, sorted by name.
const EMBEDDED: &[(&str, &str)] = &[
    ("alveo-u250", include_str!("../alveo-u250.yaml")),
    ("alveo-u55c", include_str!("../alveo-u55c.yaml")),
    ("arty-a7-100t", include_str!("../arty-a7-100t.yaml")),
    ("arty-a7-35t", include_str!("../arty-a7-35t.yaml")),
    ("icebreaker", include_str!("../icebreaker.yaml")),
    ("kv260", include_str!("../kv260.yaml")),
    ("pynq-z2", include_str!("../pynq-z2.yaml")),
    ("tang-nano-20k", include_str!("../tang-nano-20k.yaml")),
    ("ultra96-v2", include_str!("../ultra96-v2.yaml")),
    ("ulx3s-85f", include_str!("../ulx3s-85f.yaml")),
    ("vcu118", include_str!("../vcu118.yaml")),
    ("vu13p", include_str!("../vu13p.yaml")),
    ("zcu102", include_str!("../zcu102.yaml")),
    ("zcu104", include_str!("../zcu104.yaml")),
];

/// Bits of a 36 Kb block RAM with its parity bits, the unit of [`Resources::bram36`].
pub const BRAM36_BITS: u64 = 36_864;

/// Who makes the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// AMD, formerly Xilinx.
    Amd,
    /// Lattice Semiconductor.
    Lattice,
    /// Gowin Semiconductor.
    Gowin,
}

/// Architectures that netfold tells apart: the same primitives, and one set of cost models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// AMD 7 series and Zynq-7000: LUT6, DSP48E1, CARRY4.
    Xc7,
    /// AMD UltraScale+ and UltraScale: LUT6, DSP48E2, CARRY8; URAM in UltraScale+ only.
    Xcup,
    /// Lattice ECP5: LUT4, MULT18X18D.
    Ecp5,
    /// Lattice iCE40: LUT4, SB_MAC16 (UltraPlus only).
    Ice40,
    /// Gowin GW1N and GW2A: LUT4, MULT18X18.
    Gowin,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 5] = [Family::Xc7, Family::Xcup, Family::Ecp5, Family::Ice40, Family::Gowin];

    /// The name as written in board files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Xc7 => "xc7",
            Family::Xcup => "xcup",
            Family::Ecp5 => "ecp5",
            Family::Ice40 => "ice40",
            Family::Gowin => "gowin",
        }
    }

    /// The family of that name.
    ///
    /// # Errors
    /// An unknown name, with the nearest one.
    pub fn named(name: &str) -> Result<Family, Diag> {
        Family::ALL.into_iter().find(|f| f.as_str() == name).ok_or_else(|| {
            unknown("family", name, Family::ALL.map(Family::as_str), "the families are xc7, xcup, ecp5, ice40, gowin")
        })
    }

    /// Who makes it.
    pub fn vendor(self) -> Vendor {
        match self {
            Family::Xc7 | Family::Xcup => Vendor::Amd,
            Family::Ecp5 | Family::Ice40 => Vendor::Lattice,
            Family::Gowin => Vendor::Gowin,
        }
    }
}

/// DSP blocks: how many, and the widest signed product of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dsp {
    /// Primitive, for example `DSP48E1`.
    pub kind: String,
    /// Blocks on the device.
    pub count: u64,
    /// Signed bits of the wider factor.
    pub a_bits: u32,
    /// Signed bits of the narrower factor.
    pub b_bits: u32,
    /// Bits of the accumulator.
    pub accumulator_bits: u32,
}

/// Memory blocks of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Primitive, for example `RAMB36E2`.
    pub kind: String,
    /// Blocks on the device.
    pub count: u64,
    /// Bits of one block, parity bits included.
    pub bits: u64,
    /// Bits of its widest port.
    pub max_width: u32,
}

/// LUTs that can be memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LutRam {
    /// How many of the LUTs.
    pub lut: u64,
    /// Bits that one of them holds.
    pub bits_per_lut: u32,
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Lookup tables.
    pub lut: u64,
    /// Inputs of a lookup table, 4 or 6.
    pub lut_inputs: u32,
    /// Flip-flops.
    pub ff: u64,
    /// Multipliers; none on small devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsp: Option<Dsp>,
    /// Block RAM.
    pub bram: Memory,
    /// UltraRAM, without initial contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uram: Option<Memory>,
    /// Large single-port RAM, without initial contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spram: Option<Memory>,
    /// LUTs as memory; none where the family has no such mode or the figure is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lutram: Option<LutRam>,
}

impl Resources {
    /// Block RAM in units of 36 Kb ([`BRAM36_BITS`]), rounded down: 30 blocks of 4 Kb are 3.
    pub fn bram36(&self) -> u64 {
        self.bram.count * self.bram.bits / BRAM36_BITS
    }

    /// DSP blocks.
    pub fn dsp_count(&self) -> u64 {
        self.dsp.as_ref().map_or(0, |d| d.count)
    }

    /// UltraRAM blocks.
    pub fn uram_count(&self) -> u64 {
        self.uram.as_ref().map_or(0, |m| m.count)
    }
}

/// A clock that reaches the device from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSource {
    /// Frequency in MHz.
    pub mhz: f64,
    /// Package pin (the positive one of a pair).
    pub pin: String,
    /// The negative pin of a differential pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_n: Option<String>,
}

/// A board, or a bare part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name: letters, digits, `.`, `_`, `-`, `+`, `/`.
    pub name: String,
    /// One line of prose.
    pub description: String,
    /// Who makes the device.
    pub vendor: Vendor,
    /// Architecture.
    pub family: Family,
    /// Full ordering code.
    pub part: String,
    /// Clock that designs get when none is asked for, in MHz.
    pub clock_mhz: f64,
    /// Clock on the board, where it has one for the logic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_source: Option<ClockSource>,
    /// What the device holds.
    pub resources: Resources,
}

impl Board {
    /// The embedded boards, sorted by name.
    pub fn all() -> Vec<Board> {
        EMBEDDED.iter().filter_map(|(name, text)| load::parse(&format!("{name}.yaml"), text).ok()).collect()
    }

    /// Names of the embedded boards, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// The embedded board of that name.
    ///
    /// # Errors
    /// An unknown name, with the nearest one.
    ///
    /// ```
    /// let board = netfold_boards::Board::named("pynq-z2")?;
    /// assert_eq!(board.resources.dsp_count(), 220);
    /// # Ok::<(), netfold_ir::Diag>(())
    /// ```
    pub fn named(name: &str) -> Result<Board, Diag> {
        match EMBEDDED.iter().find(|(n, _)| *n == name) {
            Some((n, text)) => load::parse(&format!("{n}.yaml"), text),
            None => {
                let all = format!("the boards are {}", Board::names().collect::<Vec<_>>().join(", "));
                Err(unknown("board", name, Board::names(), &all))
            }
        }
    }

    /// A board of the user's own, from a YAML file.
    ///
    /// # Errors
    /// A file that cannot be read, is longer than 64 KiB, has an unknown or missing key, or a value out of range: the file,
    /// the line and the key, with the nearest valid name.
    pub fn load(path: &Path) -> Result<Board, Diag> {
        load::file(path)
    }

    /// A bare part by its ordering code, as hls4ml's `Part` gives it: `xcvu9p-flga2577-2-e`.
    ///
    /// The result has the part's own name, no clock source, and the family's usual clock.
    ///
    /// # Errors
    /// A part of a device that netfold has no figures of.
    pub fn for_part(part: &str) -> Result<Board, Diag> {
        parts::resolve(part)
    }

    /// What `--board` and the configuration's `board` take: the name of an embedded board, its end behind a hyphen where only one board
    /// ends so (`u250`), the path of a YAML file (told by
    /// a path separator or the ending `.yaml` or `.yml`), or a part.
    ///
    /// # Errors
    /// Those of [`Board::named`] and [`Board::load`].
    pub fn resolve(text: &str) -> Result<Board, Diag> {
        if EMBEDDED.iter().any(|(n, _)| *n == text) {
            return Board::named(text);
        }
        let ends = |name: &str| name.strip_suffix(text).is_some_and(|front| front.ends_with('-'));
        let mut ending = EMBEDDED.iter().filter(|(n, _)| ends(n));
        if let (Some((name, _)), None) = (ending.next(), ending.next()) {
            return Board::named(name);
        }
        let path = Path::new(text);
        if path.components().count() > 1 || path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            // An ordering code may hold a slash (`GW2AR-LV18QN88C8/I7`).
            return match Board::for_part(text) {
                Ok(board) if !path.exists() => Ok(board),
                _ => Board::load(path),
            };
        }
        Board::for_part(text).or_else(|_| Board::named(text))
    }
}

/// An error about a name that is none of `candidates`; `all` is the help when none of them is near.
fn unknown<'a>(kind: &str, name: &str, candidates: impl IntoIterator<Item = &'a str>, all: &str) -> Diag {
    let help = match nearest(name, candidates) {
        Some(near) => format!("did you mean {near:?}?"),
        None => all.to_string(),
    };
    Diag::new(Code::Config, format!("{kind} {name:?}"), format!("there is no {kind} of that name")).help(help)
}
