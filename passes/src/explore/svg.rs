//! A plot of the front: latency over frame rate, both logarithmic, the marks coloured by the share of the device.

use super::{Front, Point};
use std::fmt::Write as _;

/// Size and margins in pixels.
const SIZE: (f64, f64) = (720.0, 480.0);
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;

/// Text for XML.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}

/// A logarithmic axis.
struct Axis {
    /// Decades of its ends.
    low: f64,
    high: f64,
    /// Pixels of its ends.
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Axis {
        let low = values.clone().fold(f64::INFINITY, f64::min).max(1e-9).log10();
        let high = values.fold(0.0, f64::max).max(1e-9).log10();
        let (low, high) = if low.is_finite() && high >= low { (low, high) } else { (0.0, 1.0) };
        Axis { low: (low - 0.1).floor(), high: (high + 0.1).ceil(), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.max(1e-9).log10() - self.low) / (self.high - self.low).max(1.0);
        self.from + share * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = (f64, String)> {
        (self.low as i32..=self.high as i32).map(|d| {
            let label = match d {
                -2..=3 => format!("{}", 10f64.powi(d)),
                4..=5 => format!("{} k", 10u64.pow(d as u32 - 3)),
                6..=8 => format!("{} M", 10u64.pow(d as u32 - 6)),
                _ => format!("1e{d}"),
            };
            (10f64.powi(d), label)
        })
    }
}

/// Colour of a share of the device: green when little is used, red when it is full.
fn colour(p: &Point) -> String {
    let share = (p.utilization_percent / 100.0).clamp(0.0, 1.0);
    format!("hsl({:.0},70%,42%)", 130.0 * (1.0 - share))
}

/// The front as an SVG document.
pub fn plot(front: &Front) -> String {
    let x = Axis::new(front.points.iter().map(|p| p.fps), LEFT, SIZE.0 - RIGHT);
    let y = Axis::new(front.points.iter().map(|p| p.latency_ns), SIZE.1 - BOTTOM, TOP);
    let (w, h) = SIZE;
    let mut s = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"white\"/>\n"
    );
    let title = format!("{} on {} at {} MHz", front.model, front.board, front.clock_mhz);
    let _ = writeln!(s, "<text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>", escaped(&title));
    for (value, label) in x.decades() {
        let at = x.at(value);
        let _ = writeln!(s, "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#ddd\"/>", h - BOTTOM);
        let _ = writeln!(s, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>", h - BOTTOM + 18.0);
    }
    for (value, label) in y.decades() {
        let at = y.at(value);
        let _ = writeln!(s, "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#ddd\"/>", w - RIGHT);
        let _ = writeln!(s, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, at + 4.0);
    }
    let middle = LEFT + (w - LEFT - RIGHT) / 2.0;
    let _ = writeln!(s, "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">frames a second</text>", h - 18.0);
    let half = TOP + (h - TOP - BOTTOM) / 2.0;
    let _ = writeln!(
        s,
        "<text x=\"18\" y=\"{half:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {half:.1})\">latency, ns</text>"
    );
    for p in &front.points {
        let _ = writeln!(
            s,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"6\" fill=\"{}\"><title>{}</title></circle>",
            x.at(p.fps),
            y.at(p.latency_ns),
            colour(p),
            escaped(&format!("{}; {:.1} % of the device\n{}", p.used, p.utilization_percent, p.command))
        );
        let _ = writeln!(
            s,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555\">{:.0} %</text>",
            x.at(p.fps) + 8.0,
            y.at(p.latency_ns) - 6.0,
            p.utilization_percent
        );
    }
    s.push_str("</svg>\n");
    s
}
