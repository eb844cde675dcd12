//! Sliding windows: the attributes that Conv and the pools share, and the pools.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::value::Value;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Op, Pool, PoolKind, Window};

/// Largest kernel, stride, dilation or padding.
const MAX_EXTENT: i64 = 1 << 16;

/// An image tensor: one or two spatial axes, channels first or last.
pub(super) struct Image {
    /// The file's axes in the order batch, spatial.., channels.
    order: Vec<usize>,
    /// Height (1 for sequences) and width.
    pub size: [usize; 2],
    /// Number of channels.
    pub channels: usize,
}

impl Image {
    /// Reads the axes of `x`: `[N, C, spatial..]`, or `[N, spatial.., C]` in the channels-last domain.
    pub fn of(im: &Importer, n: &OpNode, x: &Value) -> Res<Image> {
        let rank = x.dims.len();
        if !(3..=4).contains(&rank) {
            return Err(unsupported(format!("input of shape {:?}: only 1-D and 2-D windows are supported", x.dims)));
        }
        if im.extent(x, 0) != 1 || x.batch.is_some_and(|b| b != 0) {
            return Err(unsupported(format!("input of shape {:?} holds more than one image a sample", x.dims)));
        }
        let channel = if n.channels_last { rank - 1 } else { 1 };
        let order: Vec<usize> = (0..rank).filter(|&a| a != channel).chain([channel]).collect();
        let size = if rank == 3 { [1, x.dims[order[1]]] } else { [x.dims[order[1]], x.dims[order[2]]] };
        Ok(Image { order, size, channels: x.dims[channel] })
    }

    /// Number of spatial axes.
    fn spatial(&self) -> usize {
        self.order.len() - 2
    }

    /// The node that holds the image as `[H, W, C]`.
    pub fn node(&self, im: &mut Importer, x: &Value, name: &str) -> Res<NodeId> {
        im.arrange(x, &self.order, &[self.size[0], self.size[1], self.channels], name)
    }

    /// The value that a node `[H, W, C]` stands for.
    pub fn result(&self, im: &Importer, x: &Value, node: NodeId) -> Value {
        let shape = im.net.shape(node);
        let mut dims = x.dims.clone();
        for (i, &axis) in self.order[1..].iter().rev().enumerate() {
            dims[axis] = shape[2 - i];
        }
        x.with(node, dims, self.order.clone())
    }
}

/// A window with the padding that only rounding the output size up brought.
pub(super) struct Resolved {
    /// The window with all padding.
    pub window: Window,
    /// Of the padding after the last row and column, how much is due to `ceil_mode`.
    pub extra: [usize; 2],
    /// Whether `ceil_mode` counted a window that begins behind the input, which was dropped.
    pub dropped: bool,
}

/// Reads the window attributes of a node. `kernel` is the weights' kernel of a convolution.
pub(super) fn window_of(n: &OpNode, image: &Image, kernel: Option<&[usize]>, ceil: bool) -> Res<Resolved> {
    let spatial = image.spatial();
    let list = |name: &str, default: i64, least: i64, len: usize| -> Res<Vec<usize>> {
        let values = n.ints(name).map_or_else(|| vec![default; len], <[i64]>::to_vec);
        let valid = values.len() == len && values.iter().all(|v| (least..=MAX_EXTENT).contains(v));
        if !valid {
            return Err(invalid(format!(
                "attribute {name:?} is {values:?}: {len} values of at least {least} are needed"
            )));
        }
        Ok(values.iter().map(|&v| v as usize).collect())
    };
    let declared = n.ints("kernel_shape").is_some().then(|| list("kernel_shape", 1, 1, spatial)).transpose()?;
    let kernel = match (kernel, declared) {
        (Some(k), Some(d)) if k != d => return Err(invalid(format!("kernel_shape {d:?} but weights for {k:?}"))),
        (Some(k), _) => k.to_vec(),
        (None, Some(d)) => d,
        (None, None) => return Err(invalid("attribute \"kernel_shape\" is missing")),
    };
    let stride = list("strides", 1, 1, spatial)?;
    let dilation = list("dilations", 1, 1, spatial)?;
    let explicit = list("pads", 0, 0, 2 * spatial)?;
    let auto = n.text("auto_pad", "NOTSET")?;
    let two = |v: &[usize]| if spatial == 1 { [1, v[0]] } else { [v[0], v[1]] };
    let mut window = Window { kernel: two(&kernel), stride: two(&stride), dilation: two(&dilation), pads: [0; 4] };
    let extent = window.extent();
    let mut extra = [0; 2];
    let mut dropped = false;
    for a in 0..2 {
        let Some(i) = (a + spatial).checked_sub(2) else { continue };
        let (size, stride) = (image.size[a], window.stride[a]);
        let (before, after) = match auto.as_str() {
            "NOTSET" | "" => (explicit[i], explicit[i + spatial]),
            "VALID" => (0, 0),
            "SAME_UPPER" | "SAME_LOWER" => {
                let total = ((size.div_ceil(stride) - 1) * stride + extent[a]).saturating_sub(size);
                let half = total / 2;
                if auto == "SAME_UPPER" { (half, total - half) } else { (total - half, half) }
            }
            _ => return Err(unsupported(format!("auto_pad {auto:?}"))),
        };
        window.pads[a] = before;
        window.pads[a + 2] = after;
        let padded = size + before + after;
        if ceil && padded >= extent[a] {
            // A last window that would begin behind the input and its leading padding is dropped.
            let mut last = (padded - extent[a]).div_ceil(stride);
            if last * stride >= size + before {
                dropped = true;
                last -= 1;
            }
            extra[a] = (last * stride + extent[a]).saturating_sub(padded);
            window.pads[a + 2] += extra[a];
        }
    }
    Ok(Resolved { window, extra, dropped })
}

/// Checks that every window of a pool holds at least one element of the input.
fn check_occupied(w: &Window, image: &Image, name: &str) -> Res<()> {
    let out = w.output(name, image.size)?;
    for (a, &positions) in out.iter().enumerate() {
        // The first kernel element at or behind the leading padding must lie before the trailing one.
        let hit = |o: usize| {
            let at = o * w.stride[a];
            let first = w.pads[a].saturating_sub(at).div_ceil(w.dilation[a]);
            first < w.kernel[a] && at + first * w.dilation[a] < w.pads[a] + image.size[a]
        };
        if !(0..positions).all(hit) {
            return Err(unsupported("a window of the pool lies wholly in the padding"));
        }
    }
    Ok(())
}

/// The window of a pool, where all runtimes agree on the number of its positions.
fn settled(n: &OpNode, resolved: Resolved) -> Res<Window> {
    if resolved.dropped && n.opset < 22 {
        return Err(unsupported("ceil_mode with a last window that begins behind the input: runtimes disagree on it")
            .help("opset 22 settles this; or export with ceil_mode 0 and explicit padding"));
    }
    Ok(resolved.window)
}

/// Largest element of every window.
pub(super) fn max_pool(im: &mut Importer, n: &OpNode) -> Res<Value> {
    if n.used.get(1) == Some(&true) {
        return Err(unsupported("the second output (Indices) is not supported"));
    }
    n.ignore(&["storage_order"]);
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let image = Image::of(im, n, &x)?;
    let window = settled(n, window_of(n, &image, None, n.int("ceil_mode", 0)? != 0)?)?;
    check_occupied(&window, &image, &n.name)?;
    let node = image.node(im, &x, &format!("{}_input", n.name))?;
    let node = im.add(&n.name, Op::Pool(Pool { kind: PoolKind::Max, window }), &[node])?;
    Ok(image.result(im, &x, node))
}

/// Mean of every window.
pub(super) fn average_pool(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let image = Image::of(im, n, &x)?;
    let include_pad = n.int("count_include_pad", 0)? != 0;
    let resolved = window_of(n, &image, None, n.int("ceil_mode", 0)? != 0)?;
    if include_pad && resolved.extra != [0, 0] {
        return Err(unsupported(
            "count_include_pad with a ceil_mode that adds a partial window: runtimes disagree on the divisor",
        )
        .help("export with ceil_mode 0 and explicit padding"));
    }
    let window = settled(n, resolved)?;
    check_occupied(&window, &image, &n.name)?;
    let node = image.node(im, &x, &format!("{}_input", n.name))?;
    let kind = PoolKind::Average { include_pad };
    let node = im.add(&n.name, Op::Pool(Pool { kind, window }), &[node])?;
    Ok(image.result(im, &x, node))
}
