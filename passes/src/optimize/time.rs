//! Lower bounds of when an operator's result comes, from when its inputs come: [`netfold_ir::hw::bound`], module by module.
//!
//! Of every tensor the cycles of a few of its elements are followed, its points ([`points`]): the first and the last, and those that the
//! windows behind it wait for. They are elements of the tensor, so that they mean the same at every width. An operator's bound says how
//! many cycles lie between each point of an input and each point of the result at the least ([`Lag`]); on the streams between its modules
//! the beats are followed that first wait for the input's points and those that the result's points wait for.
//!
//! A matrix-vector unit with early beats is taken as one of free order: how many beats are early is settled once its neighbours are
//! known (`order`).

use crate::lower::Fragment;
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::bound::{self, Order};
use netfold_ir::hw::{Kind, ModuleId};
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_ir::net::Window;
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) use netfold_ir::hw::bound::NEVER;

/// Points of a tensor.
pub(super) const POINTS: usize = 7;

/// The last one.
pub(super) const LAST: usize = POINTS - 1;

/// The points of a tensor, as numbers of elements up to them; the first one is 1, the last one all.
pub(super) type Points = [usize; POINTS];

/// Cycles in which the points of a tensor can be taken, at the earliest.
pub(super) type Times = [i64; POINTS];

/// Before everything.
pub(super) const BEFORE: Times = [NEVER; POINTS];

/// Least cycles from every point of an input (first index) to every point of the result, [`NEVER`] where one does not wait for the other.
pub(super) type Lag = [[i64; POINTS]; POINTS];

/// Of an operator that takes no time.
pub(super) fn through() -> Lag {
    let mut lag = [BEFORE; POINTS];
    (0..POINTS).for_each(|i| lag[i][i] = 0);
    lag
}

/// The points of every tensor: the first element; the last one that its reader's first window needs, and that the reader of that one's
/// result needs for its own first window; the last one that the first window of its reader's last row needs; the first one that waits for
/// the last input of the windows that it comes from, and the first one that waits for what waits in their input for the windows before;
/// and the last element. Through operators that work pixel by pixel they are those of the pixels on the other side.
///
/// Where every operator works at a constant pace, what comes last waits along a way that changes from one operator to the next at such
/// points: near the first one as long as operators become slower, near the last one as they become faster.
pub(super) fn points(net: &IntNetwork) -> HashMap<NodeId, Points> {
    // Without an order there is no design either.
    let order = net.graph.topological().unwrap_or_default();
    let elements = |id: NodeId| net.graph.node(id).elements();
    let begin = |id: &NodeId| (*id, [1, 1, 1, elements(*id), elements(*id), elements(*id), elements(*id)]);
    let mut all: HashMap<NodeId, Points> = order.iter().map(begin).collect();
    for &id in order.iter().rev() {
        let mut found: Option<[usize; 3]> = None;
        for (reader, _) in net.graph.consumers(id) {
            let [_, fill, second, row, ..] = all[&reader];
            let needed = match Reach::of(net, reader) {
                Reach::Windows(w) => Some([w.upto(0), w.upto(w.pixel(fill)), w.upto((w.output[0] - 1) * w.output[1])]),
                Reach::Pixels([from, to]) => Some([fill, second, row].map(|p| p.div_ceil(to) * from)),
                Reach::Any => None,
            };
            // Of several readers the one whose windows need most.
            found = found.max(needed);
        }
        if let (Some(found), Some(points)) = (found, all.get_mut(&id)) {
            let all = points[LAST];
            points[1..4].copy_from_slice(&found.map(|p| p.min(all)));
        }
    }
    for &id in &order {
        let first = |i: &NodeId| match Reach::of(net, id) {
            Reach::Windows(w) => Some([w.first(all[i][LAST]), w.first(all[i][4])]),
            Reach::Pixels([from, to]) => Some([all[i][4], all[i][5]].map(|p| (p.div_ceil(from) - 1) * to + 1)),
            Reach::Any => None,
        };
        let found = net.graph.inputs(id).iter().filter_map(first).max();
        if let (Some(found), Some(points)) = (found, all.get_mut(&id)) {
            let all = points[LAST];
            points[4..LAST].copy_from_slice(&found.map(|p| p.min(all)));
        }
    }
    all
}

/// What of its inputs an operator's results wait for.
enum Reach<'a> {
    /// A window of pixels each.
    Windows(Windows<'a>),
    /// The elements at the same place: so many of an input for so many of the result.
    Pixels([usize; 2]),
    /// Anything else.
    Any,
}

impl Reach<'_> {
    fn of(net: &IntNetwork, id: NodeId) -> Reach<'_> {
        let node = net.graph.node(id);
        match &node.op {
            IntOp::Conv(conv) => Reach::Windows(Windows::new(conv.input, &conv.window, node.elements())),
            IntOp::Pool { input, window, .. } => Reach::Windows(Windows::new(*input, window, node.elements())),
            IntOp::Dense(weights) => Reach::Pixels([weights.cols, weights.rows]),
            IntOp::Step(_) | IntOp::LinComb { .. } | IntOp::Mul => Reach::Pixels([1, 1]),
            IntOp::Input
            | IntOp::GlobalReduce { .. }
            | IntOp::VectorReduce { .. }
            | IntOp::ArgMax { .. }
            | IntOp::Broadcast { .. }
            | IntOp::Concat { .. }
            | IntOp::Slice { .. }
            | IntOp::Permute { .. }
            | IntOp::Pad { .. }
            | IntOp::Upsample { .. } => Reach::Any,
        }
    }
}

/// The windows of an operator that has some.
struct Windows<'a> {
    /// Height, width and channels.
    input: [usize; 3],
    window: &'a Window,
    /// Windows down and right.
    output: [usize; 2],
    /// Elements of the result that a window gives.
    elements: usize,
}

impl Windows<'_> {
    /// Of an input and a result of so many elements.
    fn new(input: [usize; 3], window: &Window, elements: usize) -> Windows<'_> {
        let extent = window.extent();
        let windows = |a: usize| {
            (input[a] + window.pads[a] + window.pads[a + 2]).saturating_sub(extent[a]) / window.stride[a] + 1
        };
        let output = [windows(0), windows(1)];
        Windows { input, window, output, elements: (elements / (output[0] * output[1])).max(1) }
    }

    /// Elements of the input up to the last one that a window needs.
    fn upto(&self, window: usize) -> usize {
        let extent = self.window.extent();
        let last = |a: usize, place: usize| {
            let end = place * self.window.stride[a] + extent[a] - 1;
            end.saturating_sub(self.window.pads[a]).min(self.input[a] - 1)
        };
        let [_, width, channels] = self.input;
        (last(0, window / self.output[1]) * width + last(1, window % self.output[1]) + 1) * channels
    }

    /// The window that gives the last one of so many elements of the result.
    fn pixel(&self, elements: usize) -> usize {
        elements.div_ceil(self.elements).clamp(1, self.output[0] * self.output[1]) - 1
    }

    /// Elements of the result up to the first one that waits for the last one of so many of the input.
    fn first(&self, elements: usize) -> usize {
        let all = self.output[0] * self.output[1];
        // A row's last windows may need no more than the ones before, and less than those of the row before them.
        let waits = |w: &usize| self.upto(*w) >= elements;
        (0..all).find(waits).unwrap_or(all - 1) * self.elements + 1
    }
}

/// The bound of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeTime {
    /// Cycles of the result of an operator without inputs.
    pub alone: Times,
    /// From each of its inputs.
    pub lags: Vec<Lag>,
}

/// A module of the operator, or what stands for an input.
pub(super) struct Slot<'a> {
    /// The module; `None` for an input.
    pub kind: Option<Cow<'a, Kind>>,
    pub order: Order,
    pub depth: i64,
    /// Where its inputs come from.
    pub from: Vec<usize>,
    /// Beats a frame of its result.
    pub beats: usize,
    /// The beats of its result that are followed, ascending.
    pub followed: Vec<usize>,
}

impl Slot<'_> {
    /// The same with a module of its own.
    pub fn owned(self) -> Slot<'static> {
        let kind = self.kind.map(|kind| Cow::Owned(kind.into_owned()));
        Slot { kind, order: self.order, depth: self.depth, from: self.from, beats: self.beats, followed: self.followed }
    }
}

impl NodeTime {
    /// Of a lowered operator, whose inputs and result have these points.
    pub fn of(fragment: &Fragment, inputs: &[Points], result: Points) -> Result<NodeTime, Diag> {
        let mut slots = slots(fragment, result[LAST])?;
        // What the result's points wait for.
        let at = |points: &Points, beats: usize| {
            let lanes = (points[LAST] / beats.max(1)).max(1);
            points.map(|p| (p.div_ceil(lanes)).clamp(1, beats.max(1)) - 1)
        };
        let ends = at(&result, slots.last().map_or(1, |s| s.beats));
        if let Some(slot) = slots.last_mut() {
            slot.followed.extend(ends);
        }
        for i in (0..slots.len()).rev() {
            let (before, behind) = slots.split_at_mut(i);
            let Slot { kind: Some(kind), order, from, followed, .. } = &behind[0] else { continue };
            for (port, from) in from.iter().enumerate() {
                let beats = before[*from].beats;
                let needed = |r: &usize| bound::last_needed(kind, *order, port, *r, beats);
                before[*from].followed.extend(followed.iter().filter_map(needed));
            }
        }
        // What first waits for the inputs' points.
        let begins: Vec<[usize; POINTS]> = inputs.iter().zip(&slots).map(|(points, s)| at(points, s.beats)).collect();
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); slots.len()];
        for i in 0..slots.len() {
            let slot = &slots[i];
            let mut here = Vec::new();
            match &slot.kind {
                None => here.extend(begins.get(i).into_iter().flatten()),
                Some(kind) => {
                    for (port, from) in slot.from.iter().enumerate() {
                        let first = |b: &usize| bound::first_waiting(kind, slot.order, port, *b, slot.beats);
                        here.extend(waiting[*from].iter().filter_map(first));
                    }
                }
            }
            here.sort_unstable();
            here.dedup();
            slots[i].followed.extend(&here);
            slots[i].followed.sort_unstable();
            slots[i].followed.dedup();
            waiting[i] = here;
        }
        let mut lags = Vec::with_capacity(inputs.len());
        for (input, begins) in begins.iter().enumerate() {
            lags.push(lag(&slots, Some(input), begins, &ends));
        }
        let alone = if inputs.is_empty() { lag(&slots, None, &[0; POINTS], &ends)[0] } else { BEFORE };
        Ok(NodeTime { alone, lags })
    }
}

/// The modules of an operator in order, behind what stands for its inputs; `elements` are those of its result.
pub(super) fn slots(fragment: &Fragment, elements: usize) -> Result<Vec<Slot<'_>>, Diag> {
    let design = &fragment.design;
    let stand_ins = design.modules();
    let stand_ins = &stand_ins[..fragment.inputs];
    let behind = design.topological()?.into_iter().filter(|m| !stand_ins.contains(m));
    let mut places: HashMap<ModuleId, usize> = HashMap::new();
    let mut all = Vec::new();
    for m in stand_ins.iter().copied().chain(behind) {
        let kind = Some(&design.module(m).kind).filter(|_| all.len() >= fragment.inputs);
        let free = matches!(kind, Some(Kind::Mvu(u)) if u.early > 0);
        let kind = kind.map(Cow::Borrowed);
        // The result of the operator has no reader yet.
        let beats = design.outputs_of(m).first().map_or(elements / fragment.lanes.max(1), |(_, s)| s.beats);
        all.push(Slot {
            kind,
            order: if free { Order::Free } else { Order::Given },
            depth: bound::depth_of(design, m),
            from: design.inputs_of(m).iter().map(|(f, _)| places[f]).collect(),
            beats,
            followed: Vec::new(),
        });
        places.insert(m, places.len());
    }
    Ok(all)
}

/// Least cycles from beats of an input to beats of the result; without an input from the cycle in which modules without inputs begin.
fn lag(slots: &[Slot<'_>], input: Option<usize>, begins: &[usize; POINTS], ends: &[usize; POINTS]) -> Lag {
    // Of every beat that is followed: the cycles from each of the input's.
    let mut times: Vec<Vec<Times>> = Vec::with_capacity(slots.len());
    for (i, slot) in slots.iter().enumerate() {
        let here = slot.followed.iter().map(|&result| match &slot.kind {
            None if Some(i) == input => begins.map(|b| if result >= b { (result - b) as i64 } else { NEVER }),
            None => BEFORE,
            Some(kind) if slot.from.is_empty() => [kind.given(result) as i64 + slot.depth; POINTS],
            Some(kind) => {
                let mut latest = BEFORE;
                for (port, from) in slot.from.iter().enumerate() {
                    for (beat, before) in slots[*from].followed.iter().zip(&times[*from]) {
                        let Some(n) = bound::between(kind, slot.order, port, *beat, result) else { break };
                        latest.iter_mut().zip(before).for_each(|(l, b)| *l = (*l).max(b + n + slot.depth));
                    }
                }
                latest.map(|t| if t > NEVER / 2 { t } else { NEVER })
            }
        });
        let here = here.collect();
        times.push(here);
    }
    let mut lag = [BEFORE; POINTS];
    if let (Some(slot), Some(times)) = (slots.last(), times.last()) {
        for (o, end) in ends.iter().enumerate() {
            if let Ok(at) = slot.followed.binary_search(end) {
                (0..POINTS).for_each(|i| lag[i][o] = times[at][i]);
            }
        }
    }
    lag
}

/// Least cycles from one beat of an input (without one: from the cycle in which modules without inputs begin) to one of the result,
/// [`NEVER`] where that does not wait for it; of every module two beats are followed on the way.
pub(super) fn stretch(slots: &[Slot<'_>], input: Option<usize>, begin: usize, end: usize) -> i64 {
    let Some(last) = slots.len().checked_sub(1) else { return NEVER };
    // The beat that the end waits for, and the one that first waits for the beginning.
    let mut followed: Vec<[Option<usize>; 2]> = vec![[None; 2]; slots.len()];
    followed[last][0] = Some(end);
    for (i, slot) in slots.iter().enumerate().rev() {
        let (Some(kind), Some(result)) = (&slot.kind, followed[i][0]) else { continue };
        for (port, from) in slot.from.iter().enumerate() {
            let needed = bound::last_needed(kind, slot.order, port, result, slots[*from].beats);
            followed[*from][0] = followed[*from][0].max(needed);
        }
    }
    let mut times: Vec<[i64; 2]> = Vec::with_capacity(slots.len());
    for (i, slot) in slots.iter().enumerate() {
        let Some(kind) = &slot.kind else {
            let here = Some(i) == input;
            followed[i][1] = Some(begin).filter(|_| here);
            let time = |beat: Option<usize>| match beat {
                Some(beat) if here && beat >= begin => (beat - begin) as i64,
                _ => NEVER,
            };
            times.push(followed[i].map(time));
            continue;
        };
        for (port, from) in slot.from.iter().enumerate() {
            let first = |b: usize| bound::first_waiting(kind, slot.order, port, b, slot.beats);
            followed[i][1] = followed[i][1].max(followed[*from][1].and_then(first));
        }
        let time = |result: Option<usize>| {
            let Some(result) = result else { return NEVER };
            if slot.from.is_empty() {
                return if input.is_none() { kind.given(result) as i64 + slot.depth } else { NEVER };
            }
            let mut latest = NEVER;
            for (port, from) in slot.from.iter().enumerate() {
                for (beat, time) in followed[*from].iter().zip(times[*from]) {
                    if let Some(n) = beat.and_then(|b| bound::between(kind, slot.order, port, b, result)) {
                        latest = latest.max(time + n + slot.depth);
                    }
                }
            }
            if latest > NEVER / 2 { latest } else { NEVER }
        };
        let here = followed[i].map(time);
        times.push(here);
    }
    times[last][0]
}
