//! Two-term common subexpression elimination over the signed digits of a whole matrix.
//!
//! Every row is a sum of terms `±(node << shift)`. A *pattern* is a pair of terms up to a common shift and sign. Each
//! step makes the pattern with the greatest gain a new node and replaces its occurrences in all rows. Pattern counts
//! are kept exactly while rows change; the queue holds possibly stale gains that are re-evaluated when they surface, so
//! a step costs the length of the rows it touches. (The idea is Hartley's, "Subexpression sharing in filters using
//! canonic signed digit multipliers", 1996; the gain here counts lookup tables rather than adders.)

use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::graph::{Graph, NodeId, Operand};

/// What a solver run weighs, all in lookup tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weights {
    /// What a term costs in a sum of many, relative to a plain adder: an occurrence saves that share.
    pub keep: f32,
    /// Cost of a carry position that only one operand reaches.
    pub pass: f32,
    /// Relative size of the deterministic noise on gains, and its seed.
    pub noise: f32,
    /// Seed of the noise.
    pub seed: u64,
}

/// Hashes patterns.
#[derive(Default, Clone, Copy)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(u64::from(b));
        }
    }
    fn write_u64(&mut self, v: u64) {
        self.0 = hash(self.0 ^ v);
    }
}

/// A multiplication whose high half, where all bits of the key meet, also becomes the low one.
fn hash(k: u64) -> u64 {
    let x = k.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^ (x >> 32)
}

/// A 64-bit finalizer (Stafford's variant 13 of the MurmurHash3 finalizer).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

pub(crate) type FastMap<V> = HashMap<u64, V, BuildHasherDefault<Mix>>;

/// A pattern packed in a word: two nodes, the second's shift relative to the first's, and whether the signs differ.
fn key(t: &Operand, u: &Operand) -> u64 {
    let (t, u) = if (t.node, t.shift) <= (u.node, u.shift) { (t, u) } else { (u, t) };
    let d = (i64::from(u.shift) - i64::from(t.shift) + 128) as u64;
    (u64::from(t.node.0) << 36) | (u64::from(u.node.0) << 12) | (d << 1) | u64::from(t.neg != u.neg)
}

fn unpack(k: u64) -> (NodeId, NodeId, i32, bool) {
    (NodeId((k >> 36) as u32), NodeId((k >> 12 & 0xff_ffff) as u32), (k >> 1 & 0x7ff) as i32 - 128, k & 1 == 1)
}

/// The state of an elimination: the graph so far and the rows.
pub(crate) struct Engine {
    pub graph: Graph,
    pub rows: Vec<Vec<Operand>>,
    /// Largest adder depth of each row's result, and how much of it the row's terms may use: a term of depth `d` uses two
    /// to the power of `d`.
    pub bounds: Vec<(u32, u64)>,
    rows_of: Vec<Vec<u32>>,
    /// Occurrences of each pattern that may still be made a node; each has one entry in the queue. Only a new node's patterns
    /// gain occurrences, so one without a gain never comes back.
    counts: FastMap<u32>,
    queue: Queue,
    weights: Weights,
    fresh: Tally,
}

/// Patterns by gain and then by themselves, the greatest first. Only those of the highest gains are in a heap: most others
/// have lost gain by the time they would come up.
#[derive(Default)]
struct Queue {
    top: BinaryHeap<(i64, u64)>,
    /// The rest, by whole lookup tables of gain; all gain less than what is in the heap.
    below: Vec<Vec<(i64, u64)>>,
}

impl Queue {
    /// Greater gains share the last place below the heap.
    const PLACES: usize = 1 << 12;

    fn new(patterns: Vec<(i64, u64)>) -> Self {
        let places = patterns.iter().map(|p| place(p.0) + 1).max().unwrap_or(0);
        let mut queue = Self { top: BinaryHeap::new(), below: vec![Vec::new(); places] };
        for (gain, key) in patterns {
            queue.push(gain, key);
        }
        queue
    }

    fn push(&mut self, gain: i64, key: u64) {
        match self.below.get_mut(place(gain)) {
            Some(place) => place.push((gain, key)),
            None => self.top.push((gain, key)),
        }
    }
}

/// Where a gain waits.
fn place(gain: i64) -> usize {
    usize::try_from(gain >> 8).unwrap_or(0).min(Queue::PLACES - 1)
}

/// Counts of a few keys at a time: a hash table that is empty again after it was read.
#[derive(Default)]
struct Tally {
    slots: Vec<(u64, u32)>,
    used: Vec<u32>,
}

impl Tally {
    /// Makes room for `most` different keys; there are none before.
    fn reserve(&mut self, most: usize) {
        let size = (2 * most).next_power_of_two();
        if self.slots.len() < size {
            self.slots = vec![(0, 0); size];
        }
    }

    fn add(&mut self, key: u64) {
        let mask = self.slots.len() - 1;
        let mut at = hash(key) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 == 0 {
                *slot = (key, 1);
                self.used.push(at as u32);
                return;
            }
            if slot.0 == key {
                slot.1 += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// The next of the counted keys, which is forgotten.
    fn take(&mut self) -> Option<(u64, u32)> {
        let at = self.used.pop()?;
        Some(std::mem::take(&mut self.slots[at as usize]))
    }
}

impl Engine {
    pub fn new(graph: Graph, rows: Vec<Vec<Operand>>, bounds: Vec<(u32, u64)>, weights: Weights) -> Self {
        let mut rows_of = vec![Vec::new(); graph.nodes.len()];
        let mut counts = FastMap::default();
        for (r, row) in rows.iter().enumerate() {
            for (i, t) in row.iter().enumerate() {
                if rows_of[t.node.index()].last() != Some(&(r as u32)) {
                    rows_of[t.node.index()].push(r as u32);
                }
                for u in &row[..i] {
                    *counts.entry(key(t, u)).or_insert(0) += 1;
                }
            }
        }
        let (fresh, queue) = (Tally::default(), Queue::default());
        let mut start: Vec<(i64, u64)> = Vec::new();
        let mut e = Self { graph, rows, bounds, rows_of, counts: FastMap::default(), queue, weights, fresh };
        counts.retain(|&k, n| {
            let g = if *n > 1 { e.gain(k, *n) } else { 0 };
            if g > 0 {
                start.push((g, k));
            }
            g > 0
        });
        e.queue = Queue::new(start);
        e.counts = counts;
        e
    }

    /// The gain, in 1/256 lookup tables, of making a pattern with `n` occurrences a node.
    fn gain(&self, k: u64, n: u32) -> i64 {
        let (a, b, d, differ) = unpack(k);
        let a = Operand { node: a, shift: (-d).max(0) as u32, neg: false };
        let b = Operand { node: b, shift: d.max(0) as u32, neg: differ };
        let (fa, fb) = (self.graph.field(a), self.graph.field(b));
        let overlap = fa.high.min(fb.high).saturating_sub(fa.low.max(fb.low)) as f32;
        let sum = fa.range.sum(&fb.range);
        let w = crate::interval::wrap_window(sum.lo, sum.hi).width();
        let top = w.saturating_sub(fa.high.min(fb.high)) as f32;
        let cost = overlap + self.weights.pass * top;
        let low = fa.low.min(fb.low);
        let removed = ((fa.high - fa.low) + (fb.high - fb.low)) as f32 - (w - low.min(w)) as f32;
        let n = n as f32;
        let mut g = n * self.weights.keep * cost.max(removed) - cost;
        if self.weights.noise > 0.0 {
            let h = (mix(k ^ mix(self.weights.seed)) >> 40) as f32 / (1u64 << 24) as f32;
            g *= 1.0 + self.weights.noise * (h - 0.5);
        }
        (g * 256.0) as i64
    }

    /// Whether a row can still be summed within its depth after two terms of these depths became one.
    fn depth_allows(&self, row: usize, da: u32, db: u32, dn: u32) -> bool {
        let (bound, budget) = self.bounds[row];
        if bound >= 60 {
            return true;
        }
        if dn > bound {
            return false;
        }
        let used: u64 = self.rows[row].iter().map(|t| 1u64 << self.graph.node(t.node).depth.min(60)).sum();
        used - (1 << da) - (1 << db) + (1 << dn) <= budget
    }

    /// Takes a term out of a row, with the occurrences of its patterns.
    fn remove_term(&mut self, row: usize, index: usize) {
        let t = self.rows[row].swap_remove(index);
        for u in &self.rows[row] {
            if let Entry::Occupied(mut n) = self.counts.entry(key(&t, u)) {
                *n.get_mut() -= 1;
                if *n.get() < 2 {
                    n.remove();
                }
            }
        }
    }

    /// Counts the patterns of a node in the rows, which no earlier pattern has, and puts those that gain in the queue.
    fn count_patterns(&mut self, id: NodeId, rows: &[usize]) {
        let terms_of = |r: &usize| self.rows[*r].iter().filter(|t| t.node == id).count() * self.rows[*r].len();
        self.fresh.reserve(rows.iter().map(terms_of).sum());
        for &r in rows {
            let row = &self.rows[r];
            for (i, t) in row.iter().enumerate().filter(|t| t.1.node == id) {
                for (j, u) in row.iter().enumerate() {
                    if u.node != id || j < i {
                        self.fresh.add(key(t, u));
                    }
                }
            }
        }
        while let Some((k, n)) = self.fresh.take() {
            let g = if n > 1 { self.gain(k, n) } else { 0 };
            if g > 0 {
                self.queue.push(g, k);
                self.counts.insert(k, n);
            }
        }
    }

    /// Occurrences of a pattern that do not share a term, as pairs of the terms.
    fn occurrences(&self, k: u64, row: usize) -> Vec<(Operand, Operand)> {
        let (a, b, d, differ) = unpack(k);
        let terms = &self.rows[row];
        let mut used = Vec::new();
        let mut found = Vec::new();
        let mut firsts: Vec<&Operand> = terms.iter().filter(|t| t.node == a).collect();
        firsts.sort_by_key(|t| t.shift);
        for t in firsts {
            let other = i64::from(t.shift) + i64::from(d);
            let partner = terms
                .iter()
                .find(|u| u.node == b && i64::from(u.shift) == other && (u.neg != t.neg) == differ && *u != t);
            if let Some(u) = partner
                && !used.contains(t)
                && !used.contains(u)
            {
                used.push(*t);
                used.push(*u);
                found.push((*t, *u));
            }
        }
        found
    }

    /// Makes patterns nodes until none gains.
    pub fn run(&mut self) {
        while let Some((g, k)) = self.next() {
            let Some(&n) = self.counts.get(&k) else { continue };
            let now = self.gain(k, n);
            if now < g {
                self.put_back(now, k);
                continue;
            }
            self.counts.remove(&k);
            self.apply(k);
        }
    }

    /// Lets a pattern wait with the gain that is left of it, if one is.
    fn put_back(&mut self, gain: i64, k: u64) {
        if gain > 0 {
            self.queue.push(gain, k);
        } else {
            self.counts.remove(&k);
        }
    }

    /// The pattern with the greatest gain that it had when it was last looked at.
    fn next(&mut self) -> Option<(i64, u64)> {
        while self.queue.top.is_empty() {
            let waiting = self.queue.below.pop()?;
            let own = self.queue.below.len();
            let mut top = Vec::with_capacity(waiting.len());
            for (_, k) in waiting {
                let Some(&n) = self.counts.get(&k) else { continue };
                let now = self.gain(k, n);
                if now > 0 && place(now) >= own {
                    top.push((now, k));
                } else {
                    self.put_back(now, k);
                }
            }
            self.queue.top = top.into();
        }
        self.queue.top.pop()
    }

    fn apply(&mut self, k: u64) {
        let (na, nb, d, differ) = unpack(k);
        let (da, db) = (self.graph.node(na).depth, self.graph.node(nb).depth);
        let a = Operand { node: na, shift: (-d).max(0) as u32, neg: false };
        let b = Operand { node: nb, shift: d.max(0) as u32, neg: differ };
        let dn = da.max(db) + u32::from(self.graph.overlap(a, b) > 0);
        let mut found = Vec::new();
        let (la, lb) = (&self.rows_of[na.index()], &self.rows_of[nb.index()]);
        let mut candidates = if la.len() < lb.len() { la.clone() } else { lb.clone() };
        candidates.sort_unstable();
        candidates.dedup();
        for row in candidates {
            let row = row as usize;
            let occ = self.occurrences(k, row);
            if !occ.is_empty() && self.depth_allows(row, da, db, dn) {
                found.push((row, occ));
            }
        }
        if found.iter().map(|f| f.1.len()).sum::<usize>() < 2 {
            return;
        }
        let (id, _) = self.graph.add(a, b, None);
        let rows: Vec<usize> = found.iter().map(|f| f.0).collect();
        self.rows_of.push(rows.iter().map(|&r| r as u32).collect());
        for (row, occ) in found {
            for (t, u) in occ {
                if !self.depth_allows(row, da, db, dn) {
                    break;
                }
                for x in [t, u] {
                    if let Some(i) = self.rows[row].iter().position(|y| *y == x) {
                        self.remove_term(row, i);
                    }
                }
                let shift = t.shift.min(u.shift);
                self.rows[row].push(Operand { node: id, shift, neg: t.neg });
            }
        }
        self.count_patterns(id, &rows);
    }
}
