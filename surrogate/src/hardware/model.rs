//! The learned model of netfold's own hardware: trees for every kind of module, then a correction of the whole design.

use super::count::{COLUMNS, NAMES};
use super::factors::{self, TERMS};
use super::whole::{self, Part, Parts};
use super::{Fabric, memory, module, unit};
use crate::features::Schema;
use crate::model::{Prediction, Provenance, Surrogate, Target, format};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::{Design, Stream};
use netfold_passes::optimize::{CostModel, ModuleSpec, Resources};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// Families of devices that designs are synthesized for, and models trained for or adapted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// AMD 7 series.
    Xc7,
    /// AMD UltraScale+: the model of the 7 series, whose LUTs are the same.
    Xcup,
    /// Lattice ECP5.
    Ecp5,
    /// Lattice iCE40.
    Ice40,
}

impl Family {
    /// Names, as boards and tables have them.
    pub const NAMES: [&str; 4] = ["xc7", "xcup", "ecp5", "ice40"];

    /// The family of a name.
    pub fn named(name: &str) -> Option<Family> {
        [Family::Xc7, Family::Xcup, Family::Ecp5, Family::Ice40].into_iter().find(|f| f.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Family::NAMES[self as usize]
    }

    /// Its multiplier blocks.
    pub fn rule(self) -> Fabric {
        match self {
            Family::Xc7 => Fabric::XC7,
            Family::Xcup => Fabric::XCUP,
            Family::Ecp5 => Fabric::ECP5,
            Family::Ice40 => Fabric::ICE40,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Family {
    type Err = Diag;

    fn from_str(name: &str) -> Result<Family, Diag> {
        Family::named(name).ok_or_else(|| {
            Diag::new(Code::Usage, "--family", format!("no synthesis for the family {name}"))
                .help(format!("choose {}", Family::NAMES.join(", ")))
        })
    }
}

/// Columns of a module.
pub fn module_schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut s = Schema::default();
        NAMES.iter().for_each(|n| s.derived(*n));
        s
    })
}

/// A trained model of designs on one family.
#[derive(Debug, Clone, PartialEq)]
pub struct HardwareModel {
    /// The family whose rules hold for DSP blocks and memory.
    pub family: Family,
    /// LUTs a building block, by group of modules.
    pub factors: BTreeMap<String, [f64; TERMS]>,
    /// Multiples of these factors on the family, by block: of a model that was trained on another one.
    pub blocks: [f64; TERMS],
    /// What trees make of it, and of flip-flops, by group.
    pub units: BTreeMap<String, Surrogate>,
    /// The whole design.
    pub whole: Surrogate,
}

/// What is expected of a design.
#[derive(Debug, Clone, PartialEq)]
pub struct DesignEstimate {
    /// Whole-design estimates with their intervals.
    pub prediction: Prediction,
    /// LUTs and flip-flops by module, in the order of [`Design::modules`], then by FIFO, in the order of [`Design::streams`].
    pub logic: Vec<(f32, f32)>,
    /// The parts.
    pub parts: Parts,
}

impl DesignEstimate {
    /// What the design uses: the estimates of the whole, LUTs as logic and as memory together; of targets that `model` does not have,
    /// the sum of its parts.
    pub fn resources(&self, model: &HardwareModel) -> Resources {
        let priced = self.parts.parts.iter().zip(&self.logic);
        let parts: Resources = priced.map(|(part, logic)| model.with_logic(part, *logic)).sum();
        let of = |target: Target| self.prediction.get(target).map(|e| e.value);
        let or =
            |target: Target, otherwise: u64, scale: f64| of(target).map_or(otherwise, |v| (v * scale).ceil() as u64);
        Resources {
            lut: of(Target::Lut).map_or(parts.lut, |v| (v + of(Target::Lutram).unwrap_or(0.0)).ceil() as u64),
            ff: or(Target::Ff, parts.ff, 1.0),
            dsp: or(Target::Dsp, parts.dsp, 1.0),
            bram18: or(Target::Bram36, parts.bram18, 2.0),
            uram: or(Target::Uram, parts.uram, 1.0),
        }
    }
}

impl HardwareModel {
    /// A model that knows structure alone.
    pub fn untrained(family: Family) -> HardwareModel {
        let whole = Surrogate::empty(whole::schema().clone());
        HardwareModel { family, factors: BTreeMap::new(), blocks: [1.0; TERMS], units: BTreeMap::new(), whole }
    }

    /// The columns that a part's trees see: those of its count, the first with the group's factors.
    pub fn columns(&self, part: &Part) -> Vec<f32> {
        let mut x = part.count.features().to_vec();
        x[0] = self.terms(part).iter().sum::<f64>() as f32;
        x
    }

    /// LUTs of each building block of a part, by structure alone.
    pub fn terms(&self, part: &Part) -> [f64; TERMS] {
        let factors = self.factors.get(part.unit).unwrap_or(&factors::DEFAULT);
        let amounts = factors::terms(&part.count);
        std::array::from_fn(|k| amounts[k] * factors[k] * self.blocks[k])
    }

    /// LUTs and flip-flops of a part.
    pub fn logic(&self, part: &Part) -> (f32, f32) {
        let x = self.columns(part);
        let model = self.units.get(part.unit);
        let of = |target: Target, otherwise: f32| {
            model.and_then(|m| m.target(target)).map_or(otherwise, |t| t.value(&x) as f32)
        };
        (of(Target::Lut, x[0]), of(Target::Ff, x[1]))
    }

    /// LUTs and flip-flops of all parts.
    pub fn all_logic(&self, parts: &Parts) -> Vec<(f32, f32)> {
        parts.parts.iter().map(|p| self.logic(p)).collect()
    }

    /// Estimates a design.
    pub fn design(&self, design: &Design) -> DesignEstimate {
        self.parts(whole::parts(design, &self.family.rule()))
    }

    /// Estimates a design that was taken apart.
    pub fn parts(&self, parts: Parts) -> DesignEstimate {
        let logic = self.all_logic(&parts);
        let prediction = self.whole_of(&parts, &logic);
        DesignEstimate { prediction, logic, parts }
    }

    /// The whole, given its parts' logic.
    pub fn whole_of(&self, parts: &Parts, logic: &[(f32, f32)]) -> Prediction {
        let x = whole::vector(parts, logic);
        if self.whole.schema == *whole::schema() {
            return self.whole.predict_beyond(&x, &self.notes());
        }
        let names = &whole::schema().names;
        let by_name = |n: &String| names.iter().position(|m| m == n).map_or(0.0, |i| x[i]);
        self.whole.predict(&self.whole.schema.names.iter().map(by_name).collect::<Vec<_>>())
    }

    /// What the whole-design part was trained on.
    pub fn provenance(&self) -> &Provenance {
        &self.whole.provenance
    }

    /// What a part takes: its LUTs as logic and as memory together.
    pub fn resources(&self, part: &Part) -> Resources {
        self.with_logic(part, self.logic(part))
    }

    /// As [`HardwareModel::resources`], given the part's LUTs and flip-flops.
    pub(crate) fn with_logic(&self, part: &Part, (lut, ff): (f32, f32)) -> Resources {
        Resources {
            lut: (f64::from(lut) + part.count.lutram).round() as u64,
            ff: f64::from(ff).round() as u64,
            dsp: part.count.dsp as u64,
            bram18: part.count.bram18.ceil() as u64,
            uram: part.count.uram as u64,
        }
    }
}

impl HardwareModel {
    /// The shipped model of a family, decoded once a process. Families without one of their own (UltraScale+ and iCE40) have that
    /// of the 7 series ([`HardwareModel::transferred`]).
    ///
    /// # Errors
    /// When the weights built into this binary do not decode, which is a bug.
    pub fn shipped(family: Family) -> Result<&'static Arc<HardwareModel>, Diag> {
        static MODELS: [OnceLock<Result<Arc<HardwareModel>, Diag>>; 4] = [const { OnceLock::new() }; 4];
        MODELS[family as usize]
            .get_or_init(|| match family {
                Family::Ecp5 => from_bytes(ECP5, "ecp5").map(Arc::new),
                Family::Xc7 | Family::Xcup | Family::Ice40 => HardwareModel::transferred(family).map(Arc::new),
            })
            .as_ref()
            .map_err(|e| Diag::internal(family.name(), e.to_string()))
    }

    /// The model of the 7 series with another family's rule for multiplier blocks, not adapted to it: where adaptation starts;
    /// see [`HardwareModel::notes`].
    ///
    /// # Errors
    /// As [`HardwareModel::shipped`].
    pub fn transferred(family: Family) -> Result<HardwareModel, Diag> {
        from_bytes(XC7, "xc7").map(|model| HardwareModel { family, blocks: family.rule().blocks_of_logic(), ..model })
    }

    /// Ways in which the family differs from what the model was trained on, in words.
    pub fn notes(&self) -> Vec<String> {
        let trained = &self.whole.provenance.part;
        if trained.is_empty() || trained == self.family.name() || self.whole.provenance.adapted_rows > 0 {
            return Vec::new();
        }
        let more = match self.family {
            Family::Xcup => "the same six-input LUTs, DSP48E2 and URAM by their documented sizes",
            Family::Ecp5 | Family::Ice40 => {
                "these devices have four-input LUTs; adapt the model with `netfold surrogate adapt`"
            }
            Family::Xc7 => "adapted",
        };
        vec![format!("family: {} (trained on {trained}; {more})", self.family.name())]
    }
}

/// Shipped weights of the 7 series.
const XC7: &[u8] = include_bytes!("../../weights/xc7.nfhw");
/// Shipped weights of ECP5.
const ECP5: &[u8] = include_bytes!("../../weights/ecp5.nfhw");

impl CostModel for HardwareModel {
    fn module(&self, m: &ModuleSpec<'_>) -> Resources {
        let count = module(m.kind, m.inputs, m.outputs, &self.family.rule());
        self.resources(&Part { unit: unit(m.kind), count })
    }

    fn fifo(&self, stream: &Stream) -> Resources {
        self.resources(&Part { unit: "fifo", count: memory::fifo(stream, &self.family.rule()) })
    }
}

const MAGIC: &[u8; 4] = b"NFHW";
const VERSION: u16 = 2;
/// Name of the whole-design part in the file.
const WHOLE: &str = "whole";

/// Whether a file holds a model of netfold's own hardware.
pub fn is_hardware(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Serialises a model: `NFHW`, a version (u16), the family's name, the factors and the multiples of them as JSON, then the parts, each with its name and its bytes as
/// [`format`](mod@format) writes them. Lengths are u32, little-endian.
///
/// # Errors
/// As [`format::to_bytes`].
pub fn to_bytes(model: &HardwareModel) -> Result<Vec<u8>, Diag> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    let mut put = |bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    put(model.family.name().as_bytes());
    let factors = (&model.factors, model.blocks);
    put(&serde_json::to_vec(&factors).map_err(|e| Diag::internal("model file", e.to_string()))?);
    for (name, part) in &model.units {
        put(name.as_bytes());
        put(&format::to_bytes(part)?);
    }
    put(WHOLE.as_bytes());
    put(&format::to_bytes(&model.whole)?);
    Ok(out)
}

/// Reads what [`to_bytes`] wrote; `place` names it in errors.
///
/// # Errors
/// When the bytes are not a model of this version.
pub fn from_bytes(bytes: &[u8], place: &str) -> Result<HardwareModel, Diag> {
    let broken = |why: &str| Diag::new(Code::Format, place, format!("is not a model of hardware: {why}"));
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| broken("it starts differently"))?;
    let version;
    (version, rest) = rest.split_first_chunk::<2>().ok_or_else(|| broken("it is too short"))?;
    if u16::from_le_bytes(*version) != VERSION {
        return Err(broken("it is of another version").help("train it again with this version of netfold"));
    }
    let mut take = || -> Result<&[u8], Diag> {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(|| broken("it ends early"))?;
        let length = u32::from_le_bytes(*length) as usize;
        let piece = after.get(..length).ok_or_else(|| broken("it ends early"))?;
        rest = &after[length..];
        Ok(piece)
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| broken("a name is not text"));
    let family = text(take()?)?;
    let family = Family::named(&family).ok_or_else(|| broken("the family is unknown"))?;
    let (factors, blocks): (BTreeMap<String, [f64; TERMS]>, [f64; TERMS]) =
        serde_json::from_slice(take()?).map_err(|e| broken(&format!("its factors: {e}")))?;
    let mut units = BTreeMap::new();
    loop {
        let name = text(take()?)?;
        let part = format::from_bytes(take()?, place)?;
        if name != WHOLE {
            if part.schema.len() != COLUMNS {
                return Err(
                    broken("its modules have other columns").help("train it again with this version of netfold")
                );
            }
            units.insert(name, part);
            continue;
        }
        return Ok(HardwareModel { family, factors, blocks, units, whole: part });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::hw::{Kind, Module};
    use netfold_ir::quant::IntType;

    #[test]
    fn the_shipped_model_decodes_and_estimates_a_fifo() {
        let model = HardwareModel::shipped(Family::Xc7).unwrap();
        assert_eq!(from_bytes(&to_bytes(model).unwrap(), "again").unwrap(), **model);
        assert!(from_bytes(&to_bytes(model).unwrap()[..2000], "cut").is_err());
        let mut design = Design::new("d");
        let module = |kind: Kind| Module { name: kind.name().into(), layer: String::new(), kind };
        let from = design.add(module(Kind::Source { lanes: 4, beats: 8 }));
        let to = design.add(module(Kind::Sink { lanes: 4, beats: 8 }));
        let ty = IntType::new(true, 8);
        design.connect(from, to, Stream { from_port: 0, to_port: 0, ty, lanes: 4, beats: 8, depth: 4 });
        let e = model.design(&design);
        assert_eq!((e.parts.modules, e.parts.parts.len()), (2, 3));
        let ff = e.prediction.get(Target::Ff).unwrap();
        assert!(ff.low <= ff.value && ff.value <= ff.high && ff.value > 5.0 && ff.value < 60.0, "{ff:?}");
        // Another family says what it was not trained on.
        assert!(model.notes().is_empty());
        assert!(HardwareModel::shipped(Family::Ecp5).unwrap().notes().is_empty());
        assert!(HardwareModel::transferred(Family::Ecp5).unwrap().notes()[0].contains("adapt"));
    }
}
