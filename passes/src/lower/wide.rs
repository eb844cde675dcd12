//! Several pixels of an image at once.
//!
//! Reading `pixels` neighbours of a row as one pixel with as many times the channels, the windows of `pixels / stride` output pixels
//! lie within one window of that image (space to depth). So the window unit is the one for single pixels, on an image of
//! fewer and deeper pixels, and gives of its window what the output pixels need ([`Swu::given`]).

use super::build::{Builder, Tap};
use super::compute::{every_channel, with_value};
use crate::fold::divisors;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Kind, Matrix, Swu, latency};
use netfold_ir::net::Window;
use std::sync::Arc;

/// An image whose windows, or vectors of a matrix product, are taken several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide {
    /// Input pixels a beat.
    pub pixels: usize,
    /// Output pixels a beat.
    pub windows: usize,
    /// Height, and width in beats.
    size: [usize; 2],
    /// The window over beats.
    window: Window,
    /// Height of the result, and width in beats.
    output: [usize; 2],
}

/// Position of tap column `column` of the window `i` of a beat's first window, in pixels right of the first pixel of the beat.
fn right(window: &Window, i: usize, column: usize) -> isize {
    (i * window.stride[1] + column * window.dilation[1]) as isize - window.pads[1] as isize
}

impl Wide {
    /// Windows over `pixels > 1` pixels a beat of an image (height, width, channels), where a delay line can give them: beats must not
    /// reach over the ends of rows, neither of the image nor of the result, and padding must be one that windows mask.
    pub fn new([height, width, _]: [usize; 3], window: &Window, pixels: usize) -> Option<Wide> {
        let extent = window.extent();
        let inserted = (0..2).any(|a| window.pads[a] + window.pads[a + 2] >= extent[a]);
        let stride = window.stride[1];
        if pixels < 2 || !width.is_multiple_of(pixels) || !pixels.is_multiple_of(stride) || inserted {
            return None;
        }
        let windows = pixels / stride;
        let rows = (height + window.pads[0] + window.pads[2] - extent[0]) / window.stride[0] + 1;
        let columns = (width + window.pads[1] + window.pads[3] - extent[1]) / stride + 1;
        let beats = width / pixels;
        let first = right(window, 0, 0).div_euclid(pixels as isize);
        let last = right(window, windows - 1, window.kernel[1] - 1).div_euclid(pixels as isize);
        if !columns.is_multiple_of(windows) || last + 1 > beats as isize || columns / windows > beats {
            return None;
        }
        let kernel = (last - first + 1) as usize;
        let output = [rows, columns / windows];
        let reached = output[1] + last as usize;
        let wide = Window {
            kernel: [window.kernel[0], kernel],
            stride: [window.stride[0], 1],
            dilation: [window.dilation[0], 1],
            pads: [window.pads[0], first.unsigned_abs(), window.pads[2], reached.saturating_sub(beats)],
        };
        Some(Wide { pixels, windows, size: [height, beats], window: wide, output })
    }

    /// `pixels` of the vectors of a matrix product at once.
    pub fn vectors(vectors: usize, pixels: usize) -> Option<Wide> {
        if pixels < 2 || !vectors.is_multiple_of(pixels) {
            return None;
        }
        let size = [1, vectors / pixels];
        let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pads: [0; 4] };
        Some(Wide { pixels, windows: pixels, size, window, output: size })
    }

    /// All that an image has, by pixels a beat.
    pub fn all(input: [usize; 3], window: &Window) -> Vec<Wide> {
        divisors(input[1]).into_iter().filter_map(|pixels| Wide::new(input, window, pixels)).collect()
    }

    /// Beats a frame, which are the cycles of a window unit.
    pub fn cycles(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Which elements of a window over beats the windows of `narrow` are: `[part][window][element of the part]`, where a window's elements
    /// `[tap][channel]` are cut into `parts` parts.
    fn given(&self, narrow: &Window, channels: usize, parts: usize) -> Vec<u32> {
        let elements = narrow.kernel[0] * narrow.kernel[1] * channels;
        let part = elements / parts;
        let first = self.window.pads[1] as isize;
        let mut given = Vec::with_capacity(self.windows * elements);
        for start in (0..elements).step_by(part) {
            for window in 0..self.windows {
                for element in start..start + part {
                    let (tap, channel) = (element / channels, element % channels);
                    let (row, column) = (tap / narrow.kernel[1], tap % narrow.kernel[1]);
                    // Not negative: the window over beats begins no later than the first tap.
                    let at = (right(narrow, window, column) + first * self.pixels as isize) as usize;
                    let beat = row * self.window.kernel[1] + at / self.pixels;
                    given.push(((beat * self.pixels + at % self.pixels) * channels + channel) as u32);
                }
            }
        }
        given
    }
}

/// The windows of an image, those of [`Wide::windows`] output pixels a beat, cut into `parts` (see [`Wide::given`]).
pub(super) fn windows(
    b: &mut Builder<'_>,
    id: NodeId,
    x: Tap,
    narrow: (&Window, usize),
    wide: &Wide,
    pad: &[i64],
    parts: usize,
) -> Tap {
    let (window, channels) = narrow;
    let lanes = wide.pixels * channels;
    let ty = with_value(x.ty, pad, window.pads != [0; 4]);
    let own = every_channel(pad, channels);
    let swu = Swu {
        size: wide.size,
        channels: lanes,
        lanes,
        window: wide.window,
        output: wide.output,
        pad: if own.len() == 1 { own } else { own.repeat(wide.pixels) },
        memory: latency::default_memory(wide.size[1], lanes * ty.bits as usize),
        given: Some(Arc::new(wide.given(window, channels, parts))),
    };
    let elements = wide.output[0] * wide.output[1] * swu.elements();
    let module = b.module(id, "window", Kind::Swu(swu));
    b.feed(id, x, module, 0);
    b.result(module, ty, elements)
}

/// The rows of a matrix `times` times.
pub(crate) fn repeated(weights: &Matrix, times: usize) -> Matrix {
    Matrix { rows: weights.rows * times, cols: weights.cols, data: weights.data.repeat(times) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_over_beats_hold_all_windows() {
        let window = |kernel: usize, stride: usize, pad: usize| Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [1; 2],
            pads: [pad; 4],
        };
        let same = Wide::new([8, 8, 3], &window(3, 1, 1), 2).unwrap();
        assert_eq!((same.windows, same.window.kernel, same.window.pads), (2, [3, 3], [1, 1, 1, 1]));
        let halved = Wide::new([8, 8, 3], &window(2, 2, 0), 4).unwrap();
        assert_eq!((halved.windows, halved.window.kernel, halved.output), (2, [2, 1], [4, 2]));
        // 8 - 3 + 1 = 6 columns: two at once, not four; and no beats over the end of a row.
        assert!(Wide::new([8, 8, 3], &window(3, 1, 0), 2).is_some());
        assert!(Wide::new([8, 8, 3], &window(3, 1, 0), 4).is_none());
        assert!(Wide::new([8, 8, 3], &window(3, 1, 1), 3).is_none());
    }
}
