//! Unrolled programs as straight-line C++: a variable an operation, as wide as the operation's exact interval needs.
//!
//! Every right-hand side is computed modulo two to the power of the variable's width, which is exact because the value fits.

use super::array::literal;
use super::unit::{Arguments, Field, Unit};
use netfold_ir::hw::program::{CarryBit, Graph, Interval, Op, Operand, Overflow, Program, Quantizer, Rounding};
use std::fmt::Write;

/// The unit of a program. The name of the struct with its operations is the configuration's, known later.
pub(super) fn unit(p: &Program) -> Unit {
    let lanes = |n: &[usize]| n.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ");
    Unit {
        function: "program",
        about: format!(
            "straight-line program of {} operations, {} elements in, {} out a beat",
            p.graph.nodes.len(),
            lanes(&p.inputs),
            lanes(&p.outputs)
        ),
        fields: vec![Field::size("beats", p.beats)],
        arrays: Vec::new(),
        arguments: Arguments::InOut,
        steps: p.beats,
        program: Some(body(p)),
    }
}

/// The type of a variable that holds an interval.
fn type_of(range: Interval) -> String {
    format!("{}<{}>", if range.signed() { "ap_int" } else { "ap_uint" }, range.width().max(1))
}

/// The function that computes one beat: a member of the struct of the operations.
fn body(p: &Program) -> String {
    let g = &*p.graph;
    let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let (ins, outs) = (names("in", p.inputs.len()), names("out", p.outputs.len()));
    let classes: Vec<String> = names("In", ins.len()).into_iter().chain(names("Out", outs.len())).collect();
    let parameters: Vec<String> =
        classes.iter().zip(ins.iter().chain(&outs)).map(|(class, name)| format!("{class}& {name}")).collect();
    let mut code = format!(
        "    template <class {}>\n    static void run(int index, {}) {{\n",
        classes.join(", class "),
        parameters.join(", ")
    );
    for (i, name) in ins.iter().enumerate() {
        let _ = writeln!(code, "        const typename nf::port<In{i}>::word x{i} = nf::take({name}, index);");
    }
    let mut elements = p.inputs.iter().enumerate().flat_map(|(port, n)| (0..*n).map(move |lane| (port, lane)));
    for (i, node) in g.nodes.iter().enumerate() {
        let t = type_of(node.range);
        let value = match node.op {
            Op::Input(_) => {
                elements.next().map_or_else(String::new, |(port, lane)| format!("nf::raw(x{port}[{lane}])"))
            }
            _ if node.range.lo == node.range.hi => literal(node.range.lo),
            Op::Const(k) => literal(k),
            Op::Add { a, b, carry, bias } => {
                let mut sum = format!("{} {}", scaled(a, &t, true), scaled(b, &t, false));
                if let Some(c) = carry {
                    let _ = write!(sum, " + {}", carry_bit(c, &t));
                }
                sum + &constant(bias, &t)
            }
            Op::Digit { a, xs, digit, constant: k, bias } => {
                let w = node.width().max(1);
                let counts = format!("c{i}");
                let first = k & ((1i64 << w) - 1);
                let _ = writeln!(code, "        ap_uint<{w}> {counts}[3] = {{{}, 0, 0}};", literal(first));
                for x in xs.into_iter().flatten() {
                    let _ = writeln!(code, "        nf::count({counts}, {});", field(g, x, &format!("ap_uint<{w}>")));
                }
                let _ = writeln!(code, "        const ap_uint<{w}> d{i} = {counts}[{digit}] << {digit};");
                format!("{} + {t}(d{i}){}", scaled(a, &t, true), constant(bias, &t))
            }
            Op::Affine { a, bias } => scaled(a, &t, true) + &constant(bias, &t),
            Op::Shr { src, bits } => shifted(&format!("v{}", src.0), bits, g.node(src).range),
            Op::Quant { src, quantizer } => {
                quantized(&format!("v{}", src.0), &quantizer, g.node(src).range, node.range)
            }
            // Refused before anything is written: `limits`.
            Op::Serial { .. } | Op::Accumulate { .. } => literal(0),
            Op::AtLeast { src, bound } => format!("v{} >= {}", src.0, literal(bound)),
            Op::Max { a, b } => format!("v{0} >= v{1} ? {t}(v{0}) : {t}(v{1})", a.0, b.0),
            Op::Table { index } => {
                let table = &g.tables[index as usize];
                let words: Vec<String> = table.words.iter().map(|&w| literal(w)).collect();
                let size = words.len();
                let _ = writeln!(code, "        static const {t} t{i}[{size}] = {{{}}};", words.join(", "));
                let bits = table.bits.iter().enumerate();
                let bits = bits.map(|(k, b)| format!("ap_uint<{}>(v{}[{}]) << {k}", table.bits.len(), b.node.0, b.bit));
                format!("t{i}[{}]", bits.map(|b| parenthesized(&b)).collect::<Vec<_>>().join(" | "))
            }
        };
        let _ = writeln!(code, "        const {t} v{i} = {value};");
    }
    let mut results = g.outputs.iter().filter_map(|o| o.term);
    for (port, (name, lanes)) in outs.iter().zip(&p.outputs).enumerate() {
        let _ = writeln!(code, "        typename nf::port<Out{port}>::word y{port};");
        for (lane, term) in results.by_ref().take(*lanes).enumerate() {
            let _ = writeln!(code, "        nf::set(y{port}[{lane}], v{});", term.node.0);
        }
        let _ = writeln!(code, "        nf::give({name}, index, y{port});");
    }
    code + "    }\n"
}

/// `(T(v) << shift)` with its sign: that of a first term, or the operator before a further one.
fn scaled(o: Operand, t: &str, first: bool) -> String {
    let sign = match (first, o.neg) {
        (true, false) => "",
        (true, true) => "-",
        (false, false) => "+ ",
        (false, true) => "- ",
    };
    let value = format!("{t}(v{})", o.node.0);
    if o.shift == 0 { format!("{sign}{value}") } else { format!("{sign}({value} << {})", o.shift) }
}

fn constant(bias: i64, t: &str) -> String {
    match bias {
        0 => String::new(),
        k => format!(" + {t}({})", literal(k)),
    }
}

fn carry_bit(c: CarryBit, t: &str) -> String {
    let inverted = if c.neg { "~" } else { "" };
    let bit = format!("{t}(ap_uint<1>({inverted}v{}))", c.node.0);
    if c.shift == 0 { bit } else { format!("({bit} << {})", c.shift) }
}

/// The unsigned field of an operand.
fn field(g: &Graph, o: Operand, t: &str) -> String {
    format!("{t}({}{})", scaled(o, t, true), constant(-g.field(o).offset, t))
}

/// `value >> bits`, rounded down, where the value may have fewer bits.
fn shifted(value: &str, bits: u32, range: Interval) -> String {
    match (bits, range.width()) {
        (0, _) => value.to_string(),
        (b, w) if b < w => format!("{value} >> {b}"),
        (_, w) if range.signed() => format!("{value} >> {}", w - 1),
        _ => "0".to_string(),
    }
}

fn quantized(value: &str, q: &Quantizer, range: Interval, result: Interval) -> String {
    let t = type_of(result);
    // Wide enough for the value, half a step, and the bounds.
    let bounds = q.clip_bounds();
    let half = if q.drop > 0 { 1i64 << (q.drop - 1) } else { 0 };
    let wide = Interval { lo: range.lo.min(bounds.lo).min(-1), hi: (range.hi + half + 1).max(bounds.hi) };
    let w = type_of(wide);
    let mut v = format!("{w}({value})");
    if q.relu && range.lo < 0 {
        v = format!("({value} < 0 ? {w}(0) : {v})");
    }
    let rounded = match q.rounding {
        _ if q.drop == 0 => v,
        Rounding::Floor => shifted(&v, q.drop, wide),
        Rounding::HalfUp => shifted(&format!("{w}({v} + {})", literal(half)), q.drop, wide),
        Rounding::HalfEven => {
            let odd = format!("{w}({} & 1)", parenthesized(&shifted(&v, q.drop, wide)));
            shifted(&format!("{w}({v} + {} + {odd})", literal(half - 1)), q.drop, wide)
        }
    };
    match q.overflow {
        Overflow::Wrap => {
            let word = if q.signed { "ap_int" } else { "ap_uint" };
            format!("{t}({word}<{}>({rounded}))", q.bits)
        }
        Overflow::Saturate | Overflow::SaturateSymmetric | Overflow::Clamp { .. } => {
            format!("{t}(nf::clip<{w} >({rounded}, {}, {}))", literal(bounds.lo), literal(bounds.hi))
        }
    }
}

fn parenthesized(text: &str) -> String {
    format!("({text})")
}
