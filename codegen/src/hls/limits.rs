//! What the HLS tool takes: checked before anything is written.
//!
//! Limits as hls4ml and UG1399 state them for Vitis HLS: arrays are split into at most 4096 parts, a word of a stream has at most
//! 4096 bits, and a loop is unrolled at most 4096 times.

use super::Strategy;
use super::array::Array;
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{Design, Kind, Module, Mvu, Stream, Vvu};

/// Most parts of an array, and most copies of a loop's body.
pub const MAX_PARTS: usize = 4096;
/// Most bits of a stream's word.
pub const MAX_WORD_BITS: usize = 4096;

fn divisors(n: usize) -> impl Iterator<Item = usize> {
    (1..=n).filter(move |d| n.is_multiple_of(*d))
}

/// The layer as messages name it: the user's name, or the module's where there is none.
fn place(module: &Module) -> &str {
    if module.layer.is_empty() { &module.name } else { &module.layer }
}

fn beyond(module: &Module, cause: String) -> Diag {
    Diag::new(Code::DoesNotFit, place(module), cause)
}

/// Checks the words of all streams and the folding of multiplying layers. All violations are returned.
pub(super) fn check_streams(design: &Design) -> Result<(), Diags> {
    let mut diags = Diags::new();
    let multiplies = |m: &Module| matches!(m.kind, Kind::Mvu(_) | Kind::Vvu(_));
    for id in design.modules() {
        let module = design.module(id);
        let width = |streams: Vec<(_, &Stream)>| streams.first().map_or(1, |(_, s)| s.ty.bits as usize);
        let bits = [width(design.inputs_of(id)), width(design.outputs_of(id))];
        let found = match &module.kind {
            Kind::Mvu(m) => check_mvu(module, m, bits),
            Kind::Vvu(v) => check_vvu(module, v, bits),
            Kind::Program(p) if p.interval > 1 => Err(Diag::new(
                Code::Unsupported,
                place(module),
                format!("a program of an interval of {} cycles has no HLS code", p.interval),
            )
            .help("set `unrolled: {interval: 1}`, or use the backend verilog")),
            _ => Ok(()),
        };
        diags.take(found);
    }
    for (from, to, stream) in design.streams() {
        let (producer, consumer) = (design.module(from), design.module(to));
        if stream.width() <= MAX_WORD_BITS || multiplies(producer) || multiplies(consumer) {
            continue;
        }
        let elements = stream.lanes * stream.beats;
        let most = MAX_WORD_BITS / stream.ty.bits as usize;
        let lanes = divisors(elements).filter(|l| *l <= most).max().unwrap_or(1);
        diags.push(
            beyond(
                producer,
                format!(
                    "{} elements of {} bits a beat are a word of {} bits, and Vitis HLS takes {MAX_WORD_BITS}",
                    stream.lanes,
                    stream.ty.bits,
                    stream.width()
                ),
            )
            .help(format!(
                "the largest setting that works is {lanes} elements a beat: ask for an interval of at least {} cycles",
                elements / lanes
            )),
        );
    }
    diags.into_result(())
}

fn check_mvu(module: &Module, m: &Mvu, [x, y]: [usize; 2]) -> Result<(), Diag> {
    let n = m.pixels;
    let fits = |pe: usize, simd: usize| {
        n * pe * simd <= MAX_PARTS && n * pe * y <= MAX_WORD_BITS && n * simd * x <= MAX_WORD_BITS
    };
    if fits(m.pe, m.simd) {
        return Ok(());
    }
    let (rows, cols) = (m.weights.rows, m.weights.cols);
    let all = divisors(rows).flat_map(|pe| divisors(cols).map(move |simd| (pe, simd)));
    let (pe, simd) = all.filter(|(pe, simd)| fits(*pe, *simd)).max_by_key(|(p, s)| (p * s, *s)).unwrap_or((1, 1));
    let reuse = (rows / pe) * (cols / simd);
    Err(beyond(
        module,
        format!(
            "PE {} and SIMD {} are {} products a cycle in words of {} and {} bits; Vitis HLS splits an array into at most \
             {MAX_PARTS} parts and takes words of {MAX_WORD_BITS} bits",
            m.pe,
            m.simd,
            n * m.pe * m.simd,
            n * m.simd * x,
            n * m.pe * y
        ),
    )
    .help(format!(
        "the largest setting that works is PE {pe}, SIMD {simd} (reuse factor {reuse}): ask for it in `folding` or as \
         ReuseFactor, or for an interval of at least {} cycles",
        m.vectors * reuse
    )))
}

fn check_vvu(module: &Module, v: &Vvu, [x, y]: [usize; 2]) -> Result<(), Diag> {
    let fits = |pe: usize, simd: usize| {
        pe * simd * v.multiplicity <= MAX_PARTS
            && pe * v.multiplicity * y <= MAX_WORD_BITS
            && pe * simd * x <= MAX_WORD_BITS
    };
    if fits(v.pe, v.simd) {
        return Ok(());
    }
    let all = divisors(v.channels()).flat_map(|pe| divisors(v.weights.cols).map(move |simd| (pe, simd)));
    let (pe, simd) = all.filter(|(pe, simd)| fits(*pe, *simd)).max_by_key(|(p, s)| (p * s, *s)).unwrap_or((1, 1));
    let cycles = v.pixels * (v.channels() / pe) * (v.weights.cols / simd);
    Err(beyond(
        module,
        format!(
            "PE {} and SIMD {} are {} products a cycle in words of {} bits; Vitis HLS splits an array into at most {MAX_PARTS} \
             parts and takes words of {MAX_WORD_BITS} bits",
            v.pe,
            v.simd,
            v.pe * v.simd * v.multiplicity,
            v.pe * v.simd * x
        ),
    )
    .help(format!("the largest setting that works is PE {pe}, SIMD {simd}: ask for an interval of at least {cycles} cycles")))
}

/// Checks the constants of a module.
pub(super) fn check_array(module: &Module, array: &Array) -> Result<(), Diag> {
    if array.banks <= MAX_PARTS {
        return Ok(());
    }
    Err(beyond(
        module,
        format!(
            "its constants would be split into {} parts, and Vitis HLS splits into at most {MAX_PARTS}",
            array.banks
        ),
    )
    .help("ask for a larger interval, so that fewer elements move in a beat"))
}

/// Checks that loops count in an `int`.
pub(super) fn check_steps(module: &Module, steps: usize) -> Result<(), Diag> {
    if i32::try_from(steps).is_ok() {
        return Ok(());
    }
    Err(beyond(module, format!("a frame takes {steps} cycles, and loops count to {}", i32::MAX))
        .help("compute more in parallel: ask for a shorter interval"))
}

/// What keeps a design from being one pipelined function (strategy Latency with arrays); empty when nothing does.
pub(super) fn check_unrolled(design: &Design) -> Diags {
    let mut diags = Diags::new();
    for id in design.modules() {
        let module = design.module(id);
        let products = match &module.kind {
            Kind::Mvu(m) => m.vectors * m.weights.rows * m.weights.cols,
            Kind::Vvu(v) => v.pixels * v.weights.rows * v.weights.cols,
            _ => 0,
        };
        let outputs = design.outputs_of(id);
        let inputs = design.inputs_of(id);
        let elements = outputs.iter().chain(&inputs).map(|(_, s)| s.lanes * s.beats).max().unwrap_or(0);
        let (count, what) =
            if products > elements { (products, "multiplications") } else { (elements, "elements of an array") };
        if count > MAX_PARTS {
            diags.push(
                beyond(
                    module,
                    format!("{count} {what} a frame are unrolled, and Vitis HLS unrolls at most {MAX_PARTS}"),
                )
                .help(format!(
                    "with the strategy {:?} the layer is a loop; the largest layer that {:?} takes has {MAX_PARTS}",
                    Strategy::Resource.name(),
                    Strategy::Latency.name()
                )),
            );
        }
    }
    diags
}
