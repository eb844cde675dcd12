//! Modules that compute or move elements, as units of the HLS library.

use super::array::Array;
use super::unit::{Arguments, Field, Unit};
use super::{activation, program};
use netfold_ir::hw::{BroadcastOp, Kind, Matrix, Memory, Multiplier, Mvu, ReduceOp, Stream, Swu, Vvu};
use netfold_ir::quant::IntType;

/// Deepest memory that is split into registers because it is read so soon after it was written.
const REGISTERS: usize = 4;

/// A module with its streams.
pub(super) struct Context<'a> {
    /// Start of the names of its constants.
    pub name: &'a str,
    /// Streams into it, in port order.
    pub inputs: Vec<&'a Stream>,

    /// Weights that change from cycle to cycle go to block RAM.
    pub weights_in_bram: bool,
}

impl Context<'_> {
    /// A constant array.
    pub fn array(&self, what: &str, about: String, dims: Vec<usize>, data: Vec<i64>, banks: usize) -> Array {
        Array { name: format!("{}_{what}", self.name), about, dims, data, banks, directives: Vec::new() }
    }

    /// Values that repeat with the length of `values`, as `[groups][lanes]`: one for all, or all of the module's period.
    pub fn parameters(&self, what: &str, about: &str, values: &[i64], period: usize, lanes: usize) -> Array {
        let values = over_period(values, period);
        let per = values.len().min(lanes);
        self.array(what, about.to_string(), vec![values.len() / per, per], values, per)
    }

    /// Element type of the first input.
    pub fn input_type(&self) -> IntType {
        self.inputs.first().map_or(IntType::new(true, 1), |s| s.ty)
    }
}

/// The values of a whole period; a single one stays alone.
pub(super) fn over_period<T: Clone>(values: &[T], period: usize) -> Vec<T> {
    let n = if values.len() == 1 { 1 } else { period };
    values.iter().cycle().take(n).cloned().collect()
}

/// "8 elements a beat".
pub(super) fn a_beat(lanes: usize) -> String {
    format!("{lanes} element{} a beat", if lanes == 1 { "" } else { "s" })
}

/// C++ name of an integer type.
pub(super) fn ap_int(ty: IntType) -> String {
    format!("{}<{}>", if ty.signed { "ap_int" } else { "ap_uint" }, ty.bits)
}

/// Groups of `lanes` after which parameters of a period repeat.
pub(super) fn groups(period: usize, lanes: usize) -> usize {
    period.div_ceil(lanes)
}

fn banks(depth: usize) -> usize {
    if depth <= REGISTERS { depth } else { 1 }
}

fn reduction(op: ReduceOp) -> Field {
    Field::Type("operation", if op == ReduceOp::Max { "nf::maximum" } else { "nf::sum" }.to_string())
}

fn multiplier(weights: Option<&Matrix>, multiplier: Multiplier) -> Field {
    let name = match multiplier {
        _ if weights.is_some_and(Matrix::is_bipolar) => "nf::sign",
        // Vitis has no packing of its own accord: a product a block.
        Multiplier::Dsp | Multiplier::Packed | Multiplier::PackedSum => "nf::dsp",
        Multiplier::Lut => "nf::fabric",
    };
    Field::Type("multiplier", name.to_string())
}

fn unit(function: &'static str, about: String, steps: usize, fields: Vec<Field>) -> Unit {
    Unit { function, about, fields, arrays: Vec::new(), arguments: Arguments::InOut, steps, program: None }
}

/// The unit of a module. Sources, sinks and reorder units are not units: the top function spells them out.
pub(super) fn of(kind: &Kind, cx: &Context<'_>) -> Option<Unit> {
    let steps = kind.firings();
    Some(match kind {
        Kind::Source { .. } | Kind::Sink { .. } | Kind::Reorder { .. } => return None,
        Kind::Program(p) => program::unit(p),
        Kind::Mvu(m) => matrix_vector(m, cx),
        Kind::Vvu(v) => depthwise(v, cx),
        Kind::Swu(s) => sliding_window(s, cx),
        Kind::Act { function, lanes, beats } => activation::unit(function, *lanes, *beats, cx),
        Kind::WindowReduce { op, taps, lanes, beats } => unit(
            "window_reduce",
            format!("{} of {taps} taps, {lanes} channels a beat", reduce_name(*op)),
            steps,
            vec![
                reduction(*op),
                Field::size("taps", *taps),
                Field::size("lanes", *lanes),
                Field::size("beats", *beats),
            ],
        ),
        Kind::GlobalReduce { op, pixels, channels, lanes } => unit(
            "global_reduce",
            format!("{} of {pixels} pixels of {channels} channels", reduce_name(*op)),
            steps,
            vec![
                reduction(*op),
                Field::size("pixels", *pixels),
                Field::size("groups", channels / lanes),
                Field::size("lanes", *lanes),
                Field::size("total_banks", banks(channels / lanes)),
            ],
        ),
        Kind::VectorReduce { op, length, lanes, vectors } => unit(
            "vector_reduce",
            format!("{} of vectors of {length}", reduce_name(*op)),
            steps,
            vec![
                reduction(*op),
                Field::size("vectors", *vectors),
                Field::size("parts", length / lanes),
                Field::size("lanes", *lanes),
            ],
        ),
        Kind::ArgMax { last, length, lanes, vectors } => unit(
            "arg_max",
            format!("index of the largest of {length}"),
            steps,
            vec![
                Field::Bool("last", *last),
                Field::size("vectors", *vectors),
                Field::size("parts", length / lanes),
                Field::size("lanes", *lanes),
            ],
        ),
        Kind::Broadcast { op, length, lanes, vectors } => {
            let (name, what) = match op {
                BroadcastOp::RSub => ("nf::subtract_from_scalar", "scalar - x"),
                BroadcastOp::Mul => ("nf::multiply_by_scalar", "scalar * x"),
            };
            let fields = vec![
                Field::Type("operation", name.to_string()),
                Field::size("vectors", *vectors),
                Field::size("parts", length / lanes),
                Field::size("lanes", *lanes),
            ];
            let about = format!("{what} for vectors of {length}");
            Unit { arguments: Arguments::OutIn, ..unit("broadcast", about, steps, fields) }
        }
        Kind::LinComb { coefficients, constant, lanes, beats } => {
            linear_combination(coefficients, constant, *lanes, *beats, cx)
        }
        Kind::Mul { multiplier: built, lanes, beats } => {
            let fields = vec![multiplier(None, *built), Field::size("lanes", *lanes), Field::size("beats", *beats)];
            let about = format!("element-wise product, {}", a_beat(*lanes));
            Unit { arguments: Arguments::OutIn, ..unit("multiply", about, steps, fields) }
        }
        Kind::Fork { outputs, beats, .. } => {
            unit("fork", format!("to {outputs} readers"), steps, vec![Field::size("beats", *beats)])
        }
        Kind::Concat { outer, parts, .. } => {
            let fields = vec![
                Field::size("rounds", *outer),
                Field::size("round_beats", parts.iter().sum()),
                Field::Choice("share", parts.iter().map(|p| i64::try_from(*p).unwrap_or(i64::MAX)).collect()),
            ];
            let about = format!("concatenation of {} tensors", parts.len());
            Unit { arguments: Arguments::OutIn, ..unit("concatenate", about, steps, fields) }
        }
        Kind::Select { outer, size, inner, start, count, step, .. } => unit(
            "select",
            format!("{count} of {size} indices"),
            steps,
            vec![
                Field::size("rounds", *outer),
                Field::size("size", *size),
                Field::size("inner", *inner),
                Field::size("start", *start),
                Field::size("count", *count),
                Field::size("stride", *step),
            ],
        ),
        Kind::Dwc { from, to, elements } => {
            let function = match () {
                () if from.is_multiple_of(*to) => "narrow",
                () if to.is_multiple_of(*from) => "widen",
                () => "regroup",
            };
            let fields = vec![Field::size("from", *from), Field::size("to", *to), Field::size("elements", *elements)];
            unit(function, format!("{from} to {}", a_beat(*to)), steps, fields)
        }
        Kind::Pad { size, chunks, pads, value, lanes } => {
            let names = ["pad_top", "pad_left", "pad_bottom", "pad_right"];
            let mut fields =
                vec![Field::size("height", size[0]), Field::size("width", size[1]), Field::size("groups", *chunks)];
            fields.push(Field::size("lanes", *lanes));
            fields.extend(names.into_iter().zip(pads).map(|(n, p)| Field::size(n, *p)));
            let arrays =
                vec![cx.parameters("padding", "Value of a padding pixel, by channel", value, value.len(), *lanes)];
            Unit { arrays, ..unit("pad_image", format!("padding of {}x{} pixels", size[0], size[1]), steps, fields) }
        }
        Kind::Upsample { size, chunks, factors, .. } => {
            let distance = size[1] * factors[1];
            let fields = vec![
                Field::size("height", size[0]),
                Field::size("width", size[1]),
                Field::size("groups", *chunks),
                Field::size("factor_rows", factors[0]),
                Field::size("factor_columns", factors[1]),
                Field::size("row_distance", distance),
                Field::size("row_banks", banks(distance).min(size[1])),
            ];
            unit("upsample", format!("{}x{} times as many pixels", factors[0], factors[1]), steps, fields)
        }
    })
}

fn reduce_name(op: ReduceOp) -> &'static str {
    match op {
        ReduceOp::Max => "maximum",
        ReduceOp::Sum => "sum",
    }
}

/// How weights are stored: one bank a product, or words of block RAM a row.
fn store(array: &mut Array, memory: Memory, in_bram: bool) {
    let partition = |dim: usize| ("ARRAY_PARTITION", format!("complete dim={dim}"));
    let several = array.dims[0] > 1;
    let block = matches!(memory, Memory::Block | Memory::Ultra) || in_bram;
    if several && block {
        array.directives = vec![
            partition(2),
            ("ARRAY_RESHAPE", "complete dim=3".to_string()),
            ("BIND_STORAGE", "type=rom_1p impl=bram".to_string()),
        ];
        array.banks = array.dims[1];
        return;
    }
    array.directives = vec![partition(2), partition(3)];
    array.banks = array.dims[1] * array.dims[2];
    if several && memory == Memory::Lut {
        array.directives.push(("BIND_STORAGE", "type=rom_1p impl=lutram".to_string()));
    }
}

fn matrix_vector(m: &Mvu, cx: &Context<'_>) -> Unit {
    let (nf, sf) = (m.neuron_fold(), m.synapse_fold());
    let mut data = Vec::with_capacity(m.weights.data.len());
    for (group, column) in (0..nf * sf).map(|i| m.tile(i)) {
        for p in 0..m.pe {
            data.extend_from_slice(&m.weights.row(group * m.pe + p)[column * m.simd..][..m.simd]);
        }
    }
    let tile = if m.early > 0 { "tile in the order of use" } else { "row group, column group" };
    let about = format!("Weights [{tile}][{} rows][{} columns]", m.pe, m.simd);
    let mut weights = cx.array("weights", about, vec![nf * sf, m.pe, m.simd], data, 1);
    store(&mut weights, m.memory, cx.weights_in_bram);
    let mut fields = vec![
        Field::size("vectors", m.vectors),
        Field::size("neuron_fold", nf),
        Field::size("synapse_fold", sf),
        Field::size("pe", m.pe),
        Field::size("simd", m.simd),
        Field::size("vector_banks", banks(sf - m.early)),
        multiplier(Some(&m.weights), m.multiplier),
        Field::Type("weight", weight_type(&m.weights)),
    ];
    let about = format!(
        "{} outputs of {} inputs, PE {}, SIMD {} (reuse factor {})",
        m.weights.rows,
        m.weights.cols,
        m.pe,
        m.simd,
        nf * sf
    );
    let function = if m.early > 0 { "matrix_vector_early" } else { "matrix_vector" };
    if m.pixels > 1 {
        let about = format!("{about}, {} vectors at once", m.pixels);
        let fields = vec![
            Field::size("blocks", m.blocks()),
            Field::size("synapse_fold", sf),
            Field::size("pixels", m.pixels),
            Field::size("pe", m.pe),
            Field::size("simd", m.simd),
            multiplier(Some(&m.weights), m.multiplier),
            Field::Type("weight", weight_type(&m.weights)),
        ];
        return Unit { arrays: vec![weights], ..unit("matrix_vectors", about, m.blocks() * sf, fields) };
    }
    if m.early > 0 {
        fields.extend([Field::size("early", m.early), Field::size("sum_banks", banks(nf))]);
    }
    Unit { arrays: vec![weights], ..unit(function, about, m.vectors * nf * sf, fields) }
}

fn weight_type(weights: &Matrix) -> String {
    ap_int(IntType::new(true, weights.weight_bits().max(2)))
}

fn depthwise(v: &Vvu, cx: &Context<'_>) -> Unit {
    let (channel_fold, tap_fold) = (v.channels() / v.pe, v.weights.cols / v.simd);
    let rows = v.pe * v.multiplicity;
    let mut data = Vec::with_capacity(v.weights.data.len());
    for group in 0..channel_fold {
        for taps in 0..tap_fold {
            for row in 0..rows {
                data.extend_from_slice(&v.weights.row(group * rows + row)[taps * v.simd..][..v.simd]);
            }
        }
    }
    let about = format!("Weights [channel group, tap group][{rows} rows][{} taps]", v.simd);
    let mut weights = cx.array("weights", about, vec![channel_fold * tap_fold, rows, v.simd], data, 1);
    store(&mut weights, v.memory, cx.weights_in_bram);
    let fields = vec![
        Field::size("pixels", v.pixels),
        Field::size("channel_fold", channel_fold),
        Field::size("tap_fold", tap_fold),
        Field::size("pe", v.pe),
        Field::size("simd", v.simd),
        Field::size("multiplicity", v.multiplicity),
        multiplier(Some(&v.weights), v.multiplier),
        Field::Type("weight", weight_type(&v.weights)),
    ];
    let about = format!("{} channels of {} taps, PE {}, SIMD {}", v.channels(), v.weights.cols, v.pe, v.simd);
    Unit { arrays: vec![weights], ..unit("depthwise", about, v.pixels * channel_fold * tap_fold, fields) }
}

/// Newest pixel of the window at an output position, as a position in raster order that may lie behind the image.
fn completing_pixel(s: &Swu, row: usize, column: usize) -> usize {
    let [eh, ew] = s.window.extent();
    let y = row * s.window.stride[0] + eh - 1 - s.window.pads[0];
    let x = column * s.window.stride[1] + ew - 1 - s.window.pads[1];
    y * s.size[1] + x
}

fn sliding_window(s: &Swu, cx: &Context<'_>) -> Unit {
    let window = &s.window;
    let groups = s.channels / s.lanes;
    let last = completing_pixel(s, s.output[0] - 1, s.output[1] - 1);
    let steps = (last + 1).max(s.size[0] * s.size[1]) * groups;
    let [extent_rows, extent_columns] = window.extent();
    let sizes = [
        ("height", s.size[0]),
        ("width", s.size[1]),
        ("groups", groups),
        ("lanes", s.lanes),
        ("kernel_rows", window.kernel[0]),
        ("kernel_columns", window.kernel[1]),
        ("stride_rows", window.stride[0]),
        ("stride_columns", window.stride[1]),
        ("dilation_rows", window.dilation[0]),
        ("dilation_columns", window.dilation[1]),
        ("extent_rows", extent_rows),
        ("extent_columns", extent_columns),
        ("pad_top", window.pads[0]),
        ("pad_left", window.pads[1]),
        ("output_columns", s.output[1]),
        ("first_pixel", completing_pixel(s, 0, 0)),
        ("line_words", s.size[1] * groups),
        ("line_banks", banks(s.size[1] * groups)),
        ("history_banks", banks(groups)),
        ("steps", steps),
    ];
    let mut fields: Vec<Field> = sizes.into_iter().map(|(name, v)| Field::size(name, v)).collect();
    let about = format!(
        "{}x{} windows of {}x{}x{} pixels, {} channels a beat",
        window.kernel[0], window.kernel[1], s.size[0], s.size[1], s.channels, s.lanes
    );
    let padding =
        cx.parameters("padding", "Value of taps outside of the image, by channel", &s.pad, s.pad.len(), s.lanes);
    let Some(given) = &s.given else {
        return Unit { arrays: vec![padding], ..unit("sliding_window", about, steps, fields) };
    };
    fields.push(Field::size("elements", given.len()));
    let data = given.iter().map(|e| i64::from(*e)).collect();
    let about_given = "Elements of the window that are given".to_string();
    let mut given = cx.array("given", about_given, vec![given.len()], data, given.len());
    given.directives = vec![("ARRAY_PARTITION", "complete".to_string())];
    let about = format!("{about}; {} elements a word", s.elements());
    Unit { arrays: vec![padding, given], ..unit("sliding_windows", about, steps, fields) }
}

fn linear_combination(
    coefficients: &[Vec<i64>],
    constant: &[i64],
    lanes: usize,
    beats: usize,
    cx: &Context<'_>,
) -> Unit {
    let longest = coefficients.iter().map(Vec::len).max().unwrap_or(1);
    let period = longest.max(constant.len());
    let own = if longest == 1 { 1 } else { period };
    let all: Vec<i64> = coefficients.iter().flat_map(|k| (0..own).map(|c| k[c % k.len()])).collect();
    let per = own.min(lanes);
    let bits = all.iter().map(|c| 65 - (if *c < 0 { !c } else { *c }).leading_zeros()).max().unwrap_or(2);
    let table = cx.array(
        "coefficients",
        "Coefficients [term][group][lane]".to_string(),
        vec![coefficients.len(), own / per, per],
        all,
        coefficients.len() * per,
    );
    let constants = cx.parameters("constants", "Constants [group][lane]", constant, period, lanes);
    let fields = vec![
        Field::size("beats", beats),
        Field::size("lanes", lanes),
        Field::size("groups", groups(period, lanes)),
        Field::Type("coefficient", ap_int(IntType::new(true, bits.max(2)))),
    ];
    let about = format!("linear combination of {} term(s), {}", coefficients.len(), a_beat(lanes));
    Unit {
        arrays: vec![table, constants],
        arguments: Arguments::OutIn,
        ..unit("linear_combination", about, beats, fields)
    }
}
