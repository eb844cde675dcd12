//! Number formats as hls4ml users write them: `ap_fixed<16,6,AP_RND,AP_SAT>` and its relatives.

use super::read::suggestion;
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use std::fmt;

/// A number format, or the wish that netfold choose one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// `auto`: netfold chooses, from the values that can occur.
    Auto,
    /// A fixed-point or integer format.
    Fixed(Fixed),
}

/// A fixed-point format: real values `q * 2^(integer_bits - bits)` of integers `q` of `bits` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fixed {
    /// Two's complement when true.
    pub signed: bool,
    /// Width in bits, 1 to [`IntType::MAX_BITS`], the sign included.
    pub bits: u32,
    /// Bits before the binary point, the sign included; may be negative or larger than `bits`. Within -256 to 256.
    pub integer_bits: i32,
    /// How values between two steps are rounded; `AP_TRN` (toward minus infinity) when not written.
    pub rounding: Rounding,
    /// What happens beyond the range; **saturation when not written**, unlike in HLS, where it is wrap-around.
    pub overflow: Overflow,
    /// `AP_SAT_SYM`: the most negative value is left out. Signed formats only.
    pub symmetric: bool,
}

/// Rounding modes by AMD's names without their `AP_` (UG1399, "Arbitrary precision fixed-point data types").
const ROUNDINGS: &[(&str, Rounding)] = &[
    ("TRN", Rounding::Floor),
    ("TRN_ZERO", Rounding::TowardZero),
    ("RND", Rounding::HalfUp),
    ("RND_ZERO", Rounding::HalfTowardZero),
    ("RND_INF", Rounding::HalfAwayFromZero),
    ("RND_MIN_INF", Rounding::HalfDown),
    ("RND_CONV", Rounding::HalfEven),
];

/// Overflow modes by AMD's names without their `AP_`.
const OVERFLOWS: &[&str] = &["WRAP", "SAT", "SAT_SYM", "SAT_ZERO", "WRAP_SM"];

/// Names of the formats: (name, is fixed-point, sign; `None` where an argument of `ac_` types tells it).
const NAMES: &[(&str, bool, Option<bool>)] = &[
    ("ap_fixed", true, Some(true)),
    ("ap_ufixed", true, Some(false)),
    ("ap_int", false, Some(true)),
    ("ap_uint", false, Some(false)),
    ("fixed", true, Some(true)),
    ("ufixed", true, Some(false)),
    ("int", false, Some(true)),
    ("uint", false, Some(false)),
    ("ac_fixed", true, None),
    ("ac_int", false, None),
];

/// Why a text is no precision, and what would be one.
type Refusal = (String, String);

const FORMS: &str =
    "write ap_fixed<W,I>, ap_ufixed<W,I>, ap_int<W>, ap_uint<W> or auto, for example ap_fixed<16,6,AP_RND,AP_SAT>";

impl Precision {
    /// Reads a precision: `auto`, `ap_fixed<W,I[,Q[,O[,N]]]>`, `ap_ufixed<..>`, `ap_int<W>`, `ap_uint<W>`, the same without
    /// `ap_`, or `ac_fixed<W,I[,S[,Q[,O]]]>` and `ac_int<W[,S]>`. Spaces and case do not matter.
    ///
    /// # Errors
    /// The cause and a help line.
    pub(crate) fn parse(text: &str) -> Result<Precision, Refusal> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if compact.eq_ignore_ascii_case("auto") {
            return Ok(Precision::Auto);
        }
        let Some((name, rest)) = compact.split_once('<') else {
            return Err((format!("{text:?} is not a precision"), FORMS.to_string()));
        };
        let Some(arguments) = rest.strip_suffix('>') else {
            let help = "inside { } a format needs quotes, because its commas end the value: \"ap_fixed<16,6>\"";
            return Err((format!("{text:?} lacks its closing '>'"), help.to_string()));
        };
        let Some(&(_, fixed, sign)) = NAMES.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name)) else {
            let names: Vec<&str> = NAMES.iter().map(|(n, ..)| *n).collect();
            return Err((format!("{name:?} is not a number format"), suggestion(name, &names)));
        };
        let mut arguments = arguments.split(',');
        let mut next = || arguments.next().filter(|a| !a.is_empty());
        let bits = match next().map(str::parse::<u32>) {
            Some(Ok(bits)) if (1..=IntType::MAX_BITS).contains(&bits) => bits,
            _ => {
                return Err((
                    format!("the width of {text:?} is not a number from 1 to {}", IntType::MAX_BITS),
                    FORMS.into(),
                ));
            }
        };
        let integer_bits = if fixed {
            match next().map(str::parse::<i32>) {
                Some(Ok(i)) if (-256..=256).contains(&i) => i,
                _ => {
                    return Err((
                        format!("the integer bits of {text:?} are not a number from -256 to 256"),
                        FORMS.into(),
                    ));
                }
            }
        } else {
            bits as i32
        };
        let signed = match sign {
            Some(signed) => signed,
            None => match next().map(str::to_ascii_lowercase).as_deref() {
                None | Some("true" | "1") => true,
                Some("false" | "0") => false,
                Some(other) => return Err((format!("{other:?} in {text:?} is neither true nor false"), FORMS.into())),
            },
        };
        let mut format = Fixed {
            signed,
            bits,
            integer_bits,
            rounding: Rounding::Floor,
            overflow: Overflow::Saturate,
            symmetric: false,
        };
        if let Some(mode) = next() {
            format.rounding = rounding(mode)?;
        }
        if let Some(mode) = next() {
            (format.overflow, format.symmetric) = overflow(mode, signed)?;
        }
        if let Some(saturated) = next() {
            // UG1399: N, the number of saturation bits, acts in the wrap modes only.
            match saturated.parse::<u32>() {
                Ok(0) => {}
                Ok(_) if format.overflow == Overflow::Saturate => {}
                Ok(_) => {
                    let cause =
                        format!("{text:?} asks for wrap-around with saturated bits, which netfold does not build");
                    return Err((cause, "use AP_SAT, or AP_WRAP without the fifth argument".into()));
                }
                Err(_) => return Err((format!("{saturated:?} in {text:?} is not a number of bits"), FORMS.into())),
            }
        }
        match arguments.next() {
            Some(extra) => Err((format!("{extra:?} in {text:?} is one argument too many"), FORMS.into())),
            None => Ok(Precision::Fixed(format)),
        }
    }

    /// The format, unless it is `auto`.
    pub fn fixed(self) -> Option<Fixed> {
        match self {
            Precision::Auto => None,
            Precision::Fixed(format) => Some(format),
        }
    }
}

/// A mode's name without `AP_` or `AC_`, in capitals.
fn bare(mode: &str) -> String {
    let upper = mode.to_ascii_uppercase();
    upper.strip_prefix("AP_").or(upper.strip_prefix("AC_")).unwrap_or(&upper).to_string()
}

fn rounding(mode: &str) -> Result<Rounding, Refusal> {
    let name = bare(mode);
    if let Some((_, rounding)) = ROUNDINGS.iter().find(|(n, _)| *n == name) {
        return Ok(*rounding);
    }
    let names: Vec<String> = ROUNDINGS.iter().map(|(n, _)| format!("AP_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let help = match OVERFLOWS.contains(&name.as_str()) {
        true => "the rounding mode stands before the overflow mode: ap_fixed<W,I,AP_TRN,AP_SAT>".to_string(),
        false => suggestion(&format!("AP_{name}"), &names),
    };
    Err((format!("{mode:?} is not a rounding mode"), help))
}

fn overflow(mode: &str, signed: bool) -> Result<(Overflow, bool), Refusal> {
    let name = bare(mode);
    match name.as_str() {
        "WRAP" => Ok((Overflow::Wrap, false)),
        "SAT" => Ok((Overflow::Saturate, false)),
        // Unsigned formats have no value to leave out (UG1399).
        "SAT_SYM" => Ok((Overflow::Saturate, signed)),
        "SAT_ZERO" => Err((
            "AP_SAT_ZERO, which turns values beyond the range into zero, is not a step function and netfold does not build it"
                .into(),
            "AP_SAT keeps the nearest value in range".into(),
        )),
        "WRAP_SM" => Err((
            "AP_WRAP_SM, sign-magnitude wrap-around, is not built by netfold".into(),
            "AP_WRAP wraps in two's complement; AP_SAT keeps the nearest value in range".into(),
        )),
        _ => {
            let names: Vec<String> = OVERFLOWS[..3].iter().map(|n| format!("AP_{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err((format!("{mode:?} is not an overflow mode"), suggestion(&format!("AP_{name}"), &names)))
        }
    }
}

impl Fixed {
    /// The integer type of the stored values.
    pub fn int_type(self) -> IntType {
        IntType { signed: self.signed, bits: self.bits, narrow: self.symmetric }
    }

    /// The quantizer that turns real numbers into this format.
    pub fn quantizer(self) -> Quantizer {
        let mut q = Quantizer::fixed(self.signed, self.bits, self.integer_bits, self.rounding, self.overflow);
        q.ty = self.int_type();
        q
    }
}

impl fmt::Display for Fixed {
    /// The full `ap_fixed` form: what HLS needs to do exactly this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.signed { "ap_fixed" } else { "ap_ufixed" };
        let rounding = ROUNDINGS.iter().find(|(_, r)| *r == self.rounding).map_or("TRN", |(n, _)| n);
        let overflow = match (self.overflow, self.symmetric) {
            (Overflow::Wrap, _) => "WRAP",
            (Overflow::Saturate, false) => "SAT",
            (Overflow::Saturate, true) => "SAT_SYM",
        };
        write!(f, "{name}<{},{},AP_{rounding},AP_{overflow}>", self.bits, self.integer_bits)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Precision::Auto => f.write_str("auto"),
            Precision::Fixed(format) => format.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::rat;

    fn shown(text: &str) -> String {
        Precision::parse(text).map_or_else(|(cause, help)| format!("{cause} | {help}"), |p| p.to_string())
    }

    #[test]
    fn forms_of_hls4ml() {
        for (text, full) in [
            ("ap_fixed<16,6>", "ap_fixed<16,6,AP_TRN,AP_SAT>"),
            ("ap_fixed< 7, 1, AP_RND_CONV, AP_SAT >", "ap_fixed<7,1,AP_RND_CONV,AP_SAT>"),
            ("fixed<8,3,RND,WRAP>", "ap_fixed<8,3,AP_RND,AP_WRAP>"),
            ("ufixed<8,0,RND_CONV,SAT,0>", "ap_ufixed<8,0,AP_RND_CONV,AP_SAT>"),
            ("ap_fixed<8,-2,AP_TRN_ZERO,AP_SAT_SYM,3>", "ap_fixed<8,-2,AP_TRN_ZERO,AP_SAT_SYM>"),
            ("ap_ufixed<8,2,AP_RND_ZERO,AP_SAT_SYM>", "ap_ufixed<8,2,AP_RND_ZERO,AP_SAT>"),
            ("ap_int<5>", "ap_fixed<5,5,AP_TRN,AP_SAT>"),
            ("uint<1>", "ap_ufixed<1,1,AP_TRN,AP_SAT>"),
            ("ac_fixed<16,6,true,AC_RND_INF,AC_SAT>", "ap_fixed<16,6,AP_RND_INF,AP_SAT>"),
            ("ac_int<4,false>", "ap_ufixed<4,4,AP_TRN,AP_SAT>"),
            ("AUTO", "auto"),
        ] {
            assert_eq!(shown(text), full, "{text}");
            assert_eq!(shown(full), full);
        }
    }

    #[test]
    fn refusals_say_why() {
        assert_eq!(shown("ap_fixd<16,6>"), "\"ap_fixd\" is not a number format | did you mean \"ap_fixed\"?");
        assert!(shown("ap_fixed<16,6,AP_RNDD>").ends_with("did you mean \"AP_RND\"?"));
        assert!(shown("ap_fixed<16,6,AP_SAT>").contains("before the overflow mode"));
        assert!(shown("ap_fixed<16,6,AP_RND,AP_SAT_ZERO>").contains("AP_SAT keeps"));
        assert!(shown("ap_fixed<16,6,AP_RND,AP_WRAP_SM>").contains("sign-magnitude"));
        assert!(shown("ap_fixed<16,6,AP_RND,AP_WRAP,2>").contains("saturated bits"));
        for bad in
            ["", "16", "ap_fixed<>", "ap_fixed<16>", "ap_fixed<0,0>", "ap_fixed<63,1>", "ap_fixed<16,999>", "ap_int<4"]
        {
            assert!(Precision::parse(bad).is_err(), "{bad}");
        }
        assert!(Precision::parse("ap_int<4,AP_TRN,AP_SAT,0,1>").is_err());
    }

    #[test]
    fn quantizers_follow_the_modes() {
        let quantize = |text: &str, x: f64| {
            Precision::parse(text).unwrap().fixed().unwrap().quantizer().quantize(0, &rat::from_f64(x).unwrap())
        };
        assert_eq!(quantize("ap_fixed<4,2>", 0.49), 1);
        assert_eq!(quantize("ap_fixed<4,2>", 5.0), 7);
        assert_eq!(quantize("ap_fixed<4,2,AP_TRN,AP_WRAP>", 2.0), -8);
        assert_eq!(quantize("ap_fixed<4,2,AP_RND_CONV,AP_SAT_SYM>", -9.0), -7);
        assert_eq!(quantize("ap_fixed<4,2,AP_RND,AP_SAT>", -0.375), -1);
        assert_eq!(quantize("ap_ufixed<4,2,AP_RND,AP_SAT_SYM>", 9.0), 15);
    }
}
