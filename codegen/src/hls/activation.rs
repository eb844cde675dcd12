//! Functions of one element, as units of the HLS library.

use super::array::Array;
use super::modules::{Context, a_beat, groups, over_period};
use super::unit::{Arguments, Field, Unit};
use netfold_ir::hw::{MulShift, Realization, Table, Thresholds, latency};
use netfold_ir::quant::IntType;

/// Most comparators of one threshold bank that are built side by side; above, the count is found by bisection.
const COMPARATORS: usize = 4096;

/// The unit of a realisation.
pub(super) fn unit(function: &Realization, lanes: usize, beats: usize, cx: &Context<'_>) -> Unit {
    let period = function.period();
    let mut fields =
        vec![Field::size("beats", beats), Field::size("lanes", lanes), Field::size("groups", groups(period, lanes))];
    let (name, about, arrays) = match function {
        Realization::MulShift(m) => {
            fields.push(Field::Struct("line", line(m, cx.input_type())));
            let about = if m.is_shift() { "shift" } else { "multiply and shift" };
            ("mul_shift", format!("{about} by {} bits", m.shift), parameters(m, "", period, lanes, cx))
        }
        Realization::TwoSlopes(below, above) => {
            fields.push(Field::Struct("line_below", line(below, cx.input_type())));
            fields.push(Field::Struct("line", line(above, cx.input_type())));
            let mut arrays = parameters(below, "below_", period, lanes, cx);
            arrays.extend(parameters(above, "", period, lanes, cx));
            ("two_slopes", "one slope below zero, one above".to_string(), arrays)
        }
        Realization::Thresholds(t) => {
            let (more, arrays) = thresholds(t, period, lanes, cx);
            fields.extend(more);
            ("threshold_bank", format!("{} thresholds", t.thresholds.first().map_or(0, Vec::len)), arrays)
        }
        Realization::Table(t) => {
            let words = t.entries.first().map_or(0, Vec::len);
            fields.extend(table(t, cx.input_type()));
            let mut arrays = vec![table_entries(t, period, lanes, cx)];
            match &t.tail {
                None => ("lookup", format!("table of {words} entries"), arrays),
                Some(tail) => {
                    fields.push(Field::Struct("line", line(tail, cx.input_type())));
                    arrays.extend(parameters(tail, "", period, lanes, cx));
                    ("lookup_with_tail", format!("table of {words} entries, a line above"), arrays)
                }
            }
        }
    };
    let about = format!("{about}, {}", a_beat(lanes));
    Unit { function: name, about, fields, arrays, arguments: Arguments::InOut, steps: beats, program: None }
}

/// Factors and addends.
fn parameters(m: &MulShift, prefix: &str, period: usize, lanes: usize, cx: &Context<'_>) -> Vec<Array> {
    vec![
        cx.parameters(&format!("{prefix}factors"), "Factors [group][lane]", &m.mul, period, lanes),
        cx.parameters(&format!("{prefix}addends"), "Addends [group][lane]", &m.add, period, lanes),
    ]
}

/// Signed type of all of `values`.
fn signed(values: impl IntoIterator<Item = i128>) -> String {
    let bits = values.into_iter().map(|v| 129 - (if v < 0 { !v } else { v }).leading_zeros()).max().unwrap_or(2);
    format!("ap_int<{}>", bits.max(2))
}

/// The struct that `nf::rescale` takes.
fn line(m: &MulShift, input: IntType) -> Vec<Field> {
    let full = IntType::new(input.signed, input.bits);
    let ends = [full.min(), full.max()].map(i128::from);
    // `mul * q + add` at the ends of the input's type, one more for rounding up, and the bounds: all intermediate values.
    let sums = (0..m.mul.len().max(m.add.len())).flat_map(|c| {
        let (mul, add) = (i128::from(m.mul[c % m.mul.len()]), i128::from(m.add[c % m.add.len()]));
        ends.map(|q| mul * q + add)
    });
    let bounds = [i128::from(m.lo), i128::from(m.hi), i128::from(m.hi) - i128::from(m.lo)];
    let all = sums.chain(m.add.iter().map(|a| i128::from(*a))).flat_map(|t| [t - 1, t + 1]).chain(bounds);
    // Shifting by as many bits as a value has is not defined everywhere.
    let span = (1i128 << m.shift.min(120)) - 1;
    let wrap_bits = if m.wrap { 128 - (i128::from(m.hi) - i128::from(m.lo)).leading_zeros() } else { 0 };
    vec![
        Field::Int("shift", i64::from(m.shift)),
        Field::Bool("half_even", m.half_even && m.shift > 0),
        Field::Int("wrap_bits", i64::from(wrap_bits)),
        Field::Int("low", m.lo),
        Field::Int("high", m.hi),
        Field::Type("factor", signed(m.mul.iter().map(|v| i128::from(*v)))),
        Field::Type("sum", signed(all.chain([span]))),
    ]
}

fn thresholds(t: &Thresholds, period: usize, lanes: usize, cx: &Context<'_>) -> (Vec<Field>, Vec<Array>) {
    let n = t.thresholds.first().map_or(0, Vec::len);
    let input = cx.input_type();
    let full = IntType::new(input.signed, input.bits);
    // A threshold that the input never reaches stays out of reach, one that it always reaches within.
    let mut rows = over_period(&t.thresholds, period);
    rows.iter_mut().flatten().for_each(|v| *v = (*v).clamp(full.min(), full.max() + 1));
    // A constant function has one threshold out of reach: an array needs an entry.
    rows.iter_mut().filter(|row| row.is_empty()).for_each(|row| row.push(full.max() + 1));
    let n = n.max(1);
    let per = rows.len().min(lanes);
    let parallel = n <= latency::PARALLEL_THRESHOLDS && per * n <= COMPARATORS;
    let array = cx.array(
        "thresholds",
        "Ascending thresholds [group][lane]".to_string(),
        vec![rows.len() / per, per, n],
        rows.concat(),
        if parallel { per * n } else { per },
    );
    let fields = vec![
        Field::size("thresholds", n),
        Field::Bool("parallel", parallel),
        Field::size("partitions", if parallel { n } else { 1 }),
        Field::size("search_steps", latency::search_steps(n)),
        Field::Type("threshold", signed([i128::from(full.min()), i128::from(full.max()) + 1])),
    ];
    let base = cx.parameters("base", "Result below all thresholds [group][lane]", &t.base, period, lanes);
    let direction = cx.parameters("direction", "Step at a threshold [group][lane]", &t.direction, period, lanes);
    (fields, vec![array, base, direction])
}

fn table(t: &Table, input: IntType) -> Vec<Field> {
    let words = t.entries.first().map_or(0, Vec::len);
    let full = IntType::new(input.signed, input.bits);
    let first = i128::from(t.first);
    let differences = [full.min(), full.max()].map(|q| i128::from(q) - first);
    let words_bound = words as i128;
    vec![
        Field::size("words", words),
        Field::Int("first", t.first),
        Field::Type("index_type", signed(differences.into_iter().chain([first, -first, words_bound]))),
    ]
}

fn table_entries(t: &Table, period: usize, lanes: usize, cx: &Context<'_>) -> Array {
    let words = t.entries.first().map_or(0, Vec::len);
    let rows = over_period(&t.entries, period);
    let per = rows.len().min(lanes);
    let data = rows.iter().flatten().copied().collect();
    let mut array = cx.array("table", "Table [group][lane]".to_string(), vec![rows.len() / per, per, words], data, per);
    let implementation = if words * (rows.len() / per) <= latency::LOGIC_TABLE_WORDS { "lutram" } else { "bram" };
    array.directives.push(("BIND_STORAGE", format!("type=rom_np impl={implementation}")));
    array
}
