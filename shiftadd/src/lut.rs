//! Tables as networks of six-input lookup tables.
//!
//! An output that depends on six bits or fewer is one table. Wider ones are decomposed by the best of two ways: a
//! selection among the functions that remain when one or two bits are fixed (Shannon), or an encoding of a few bits by as
//! many bits as tell their distinct columns apart (Ashenhurst, "The decomposition of switching functions", 1957; Curtis,
//! 1962), for one output or for all of them together. Constant, copied, inverted and repeated bits cost nothing.

use std::collections::HashMap;

/// A bit in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Signal {
    /// An index bit of the table.
    Input(u8),
    /// A lookup table's result.
    Lut(u16),
}

/// One lookup table: bit `i` of `init` is the result where bit `k` of `i` is the value of `inputs[k]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lut {
    pub inputs: Vec<Signal>,
    pub init: u64,
}

/// One output bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Const(bool),
    /// A signal, inverted where the flag is set.
    Wire(Signal, bool),
}

/// A table as a network; every lookup table reads index bits and earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    pub luts: Vec<Lut>,
    pub outputs: Vec<Output>,
}

impl Network {
    /// The most lookup tables on a path.
    pub fn levels(&self) -> u32 {
        let mut level = vec![0u32; self.luts.len()];
        for (i, l) in self.luts.iter().enumerate() {
            let below = l.inputs.iter().map(|s| if let Signal::Lut(k) = s { level[usize::from(*k)] } else { 0 });
            level[i] = below.max().unwrap_or(0) + 1;
        }
        level.into_iter().max().unwrap_or(0)
    }

    /// The value of each output for an index.
    #[cfg(test)]
    fn eval(&self, index: usize) -> u64 {
        let mut v: Vec<bool> = Vec::new();
        let read = |v: &[bool], s: &Signal| match s {
            Signal::Input(k) => index >> k & 1 == 1,
            Signal::Lut(k) => v[usize::from(*k)],
        };
        for l in &self.luts {
            let i = l.inputs.iter().enumerate().fold(0, |i, (k, s)| i | usize::from(read(&v, s)) << k);
            v.push(l.init >> i & 1 == 1);
        }
        self.outputs.iter().enumerate().fold(0, |word, (k, o)| {
            let bit = match o {
                Output::Const(c) => *c,
                Output::Wire(s, inverted) => read(&v, s) != *inverted,
            };
            word | u64::from(bit) << k
        })
    }
}

/// A truth table over the signals of a list: bit `i` for index `i`, at least one word.
type Truth = Vec<u64>;

/// Truth tables of the six address bits of a LUT: bit `i` of table `k` is bit `k` of `i`.
pub const ADDRESS_BITS: [u64; 6] = [
    0xaaaa_aaaa_aaaa_aaaa,
    0xcccc_cccc_cccc_cccc,
    0xf0f0_f0f0_f0f0_f0f0,
    0xff00_ff00_ff00_ff00,
    0xffff_0000_ffff_0000,
    0xffff_ffff_0000_0000,
];

fn get(t: &[u64], i: usize) -> bool {
    t[i >> 6] >> (i & 63) & 1 == 1
}

fn set(t: &mut [u64], i: usize) {
    t[i >> 6] |= 1 << (i & 63);
}

/// Tables of fewer than six inputs repeat themselves up to 64 bits, so that equal functions are equal words.
fn normalize(t: &mut [u64], inputs: usize) {
    for k in inputs..6 {
        let step = 1u32 << k;
        t[0] &= (1u64 << step) - 1;
        t[0] |= t[0] << step;
    }
}

/// The function that remains where a variable is fixed; the others move down.
fn cofactor(t: &[u64], inputs: usize, var: usize, value: bool) -> Truth {
    let mut out = vec![0u64; (1usize << (inputs - 1)).div_ceil(64)];
    for i in 0..1usize << (inputs - 1) {
        let low = i & ((1 << var) - 1);
        if get(t, (i - low) << 1 | usize::from(value) << var | low) {
            set(&mut out, i);
        }
    }
    normalize(&mut out, inputs - 1);
    out
}

fn depends(t: &[u64], inputs: usize, var: usize) -> bool {
    if var < 6 {
        let half = ADDRESS_BITS[var];
        t.iter().any(|w| (w & half) >> (1 << var) != w & !half)
    } else {
        let step = 1 << (var - 6);
        (0..1usize << (inputs - 6)).any(|i| i & step == 0 && t[i] != t[i | step])
    }
}

/// Builds networks; lookup tables are shared by their contents.
#[derive(Clone, Default)]
struct Builder {
    luts: Vec<Lut>,
    known: HashMap<Lut, u16>,
}

/// The widest functions for which all ways are tried although one was found.
const THOROUGH_BITS: usize = 9;

impl Builder {
    fn lut(&mut self, inputs: Vec<Signal>, init: u64) -> Output {
        let one = Lut { inputs, init };
        let next = self.luts.len() as u16;
        let at = *self.known.entry(one.clone()).or_insert(next);
        if at == next {
            self.luts.push(one);
        }
        Output::Wire(Signal::Lut(at), false)
    }

    /// Makes functions of the signals; `t` over `signals`, which differ from each other.
    fn make(&mut self, mut ts: Vec<Truth>, signals: &[Signal]) -> Vec<Output> {
        let n = signals.len();
        ts.iter_mut().for_each(|t| normalize(t, n));
        let mut out = vec![Output::Const(false); ts.len()];
        // Functions and their complements that were seen: the first place and whether it is inverted.
        let mut seen: HashMap<Truth, usize> = HashMap::new();
        let mut wide: Vec<usize> = Vec::new();
        let mut copies: Vec<(usize, usize, bool)> = Vec::new();
        for (k, t) in ts.iter().enumerate() {
            let inverse: Truth = t.iter().map(|w| !w).collect();
            if let Some(&at) = seen.get(t) {
                copies.push((k, at, false));
                continue;
            }
            if let Some(&at) = seen.get(&inverse) {
                copies.push((k, at, true));
                continue;
            }
            seen.insert(t.clone(), k);
            let support: Vec<usize> = (0..n).filter(|&v| depends(t, n, v)).collect();
            match support.len() {
                0 => out[k] = Output::Const(t[0] & 1 == 1),
                1 => out[k] = Output::Wire(signals[support[0]], get(t, 0)),
                2..=6 => {
                    let small = restrict(t, n, &support);
                    out[k] = self.lut(support.iter().map(|&v| signals[v]).collect(), small[0]);
                }
                _ => wide.push(k),
            }
        }
        if !wide.is_empty() {
            self.make_wide(&ts, &wide, signals, &mut out);
        }
        for (k, at, inverted) in copies {
            out[k] = match out[at] {
                Output::Const(c) => Output::Const(c != inverted),
                Output::Wire(s, i) => Output::Wire(s, i != inverted),
            };
        }
        out
    }

    fn make_wide(&mut self, ts: &[Truth], wide: &[usize], signals: &[Signal], out: &mut [Output]) {
        let n = signals.len();
        // All of them by one encoding, or each by itself.
        let mut apart = self.clone();
        let mut results = Vec::new();
        for &k in wide {
            let support: Vec<usize> = (0..n).filter(|&v| depends(&ts[k], n, v)).collect();
            let own: Vec<Signal> = support.iter().map(|&v| signals[v]).collect();
            results.push(apart.make_one(restrict(&ts[k], n, &support), &own));
        }
        if wide.len() > 1 {
            let group: Vec<Truth> = wide.iter().map(|&k| ts[k].clone()).collect();
            let mut joint = self.clone();
            if let Some(r) = joint.encode(&group, signals)
                && joint.luts.len() < apart.luts.len()
            {
                (apart, results) = (joint, r);
            }
        }
        *self = apart;
        for (&k, r) in wide.iter().zip(results) {
            out[k] = r;
        }
    }

    /// One function of more than six signals, all of which it depends on.
    fn make_one(&mut self, t: Truth, signals: &[Signal]) -> Output {
        let n = signals.len();
        let mut best: Option<(Builder, Output)> = None;
        let mut offer = |b: Builder, o: Output| {
            if best.as_ref().is_none_or(|x| b.luts.len() < x.0.luts.len()) {
                best = Some((b, o));
            }
        };
        let mut encoded = self.clone();
        if let Some(o) = encoded.encode(std::slice::from_ref(&t), signals) {
            if n > THOROUGH_BITS {
                *self = encoded;
                return o[0];
            }
            offer(encoded, o[0]);
        }
        // One selecting bit where few bits are left, else two: four functions and a selection are one table.
        let rank = |v: usize| {
            let parts = [cofactor(&t, n, v, false), cofactor(&t, n, v, true)];
            parts.iter().map(|p| (0..n - 1).filter(|&u| depends(p, n - 1, u)).count()).sum::<usize>()
        };
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&v| (rank(v), n - v));
        // Above eight bits, one bit at a time finds what two find only rarely cheaper, and takes exponential time.
        let selects = match n {
            7 => 1..=1,
            8 => 1..=2,
            _ => 2..=2,
        };
        for selects in selects {
            let mut b = self.clone();
            let o = b.select(&t, signals, &order[..selects]);
            offer(b, o);
        }
        match best {
            Some((b, o)) => {
                *self = b;
                o
            }
            None => Output::Const(false),
        }
    }

    /// A selection by some bits among the functions that remain.
    fn select(&mut self, t: &Truth, signals: &[Signal], by: &[usize]) -> Output {
        let mut by = by.to_vec();
        by.sort_unstable();
        let rest: Vec<Signal> = (0..signals.len()).filter(|v| !by.contains(v)).map(|v| signals[v]).collect();
        let mut parts = Vec::new();
        for value in 0..1usize << by.len() {
            let mut p = t.clone();
            for (k, &v) in by.iter().enumerate().rev() {
                p = cofactor(&p, rest.len() + k + 1, v, value >> k & 1 == 1);
            }
            parts.push(p);
        }
        let made = self.make(parts, &rest);
        // The selection's own truth table over the selecting bits and the distinct parts.
        let mut inputs: Vec<Signal> = by.iter().map(|&v| signals[v]).collect();
        for o in &made {
            if let Output::Wire(s, _) = o
                && !inputs.contains(s)
            {
                inputs.push(*s);
            }
        }
        let mut truth = vec![0u64; (1usize << inputs.len()).div_ceil(64)];
        for i in 0..1usize << inputs.len() {
            let bit = match made[i & ((1 << by.len()) - 1)] {
                Output::Const(c) => c,
                Output::Wire(s, inverted) => {
                    inputs.iter().position(|x| *x == s).is_some_and(|p| i >> p & 1 == 1) != inverted
                }
            };
            if bit {
                set(&mut truth, i);
            }
        }
        self.make(vec![truth], &inputs)[0]
    }

    /// The functions by an encoding of some of the signals; `None` where none makes them narrower.
    fn encode(&mut self, ts: &[Truth], signals: &[Signal]) -> Option<Vec<Output>> {
        let n = signals.len();
        let mut best: Option<(usize, usize, Vec<usize>, Vec<u32>)> = None;
        for bound in candidates(n) {
            let most =
                best.as_ref().map_or(bound.len() - 1, |b| (b.0 + bound.len()).saturating_sub(n).min(bound.len() - 1));
            let Some((codes, distinct)) = columns(ts, n, &bound, 1 << most) else { continue };
            let m = distinct.next_power_of_two().trailing_zeros() as usize;
            if m >= bound.len() {
                continue;
            }
            // Bits that are left, with the encoder's tables as a tie-break.
            let key = (n - bound.len() + m, m);
            if best.as_ref().is_none_or(|b| key < (b.0, b.1)) {
                best = Some((key.0, key.1, bound, codes));
            }
        }
        let (_, m, bound, codes) = best?;
        let inner: Vec<Signal> = bound.iter().map(|&v| signals[v]).collect();
        let mut encoders = vec![vec![0u64; 1]; m];
        for (i, &c) in codes.iter().enumerate() {
            for (k, e) in encoders.iter_mut().enumerate() {
                if c >> k & 1 == 1 {
                    set(e, i);
                }
            }
        }
        let made = self.make(encoders, &inner);
        // The outer functions over the code bits and the free signals. Codes that no column has take the last one's.
        let free: Vec<usize> = (0..n).filter(|v| !bound.contains(v)).collect();
        let mut example = vec![0usize; 1 << m];
        for (i, &c) in codes.iter().enumerate() {
            example[c as usize] = i;
        }
        let distinct = codes.iter().max().map_or(1, |c| *c as usize + 1);
        let last = example[distinct - 1];
        example[distinct..].fill(last);
        let mut inputs: Vec<Signal> = Vec::new();
        for s in made.iter().filter_map(|o| if let Output::Wire(s, _) = o { Some(*s) } else { None }) {
            if !inputs.contains(&s) {
                inputs.push(s);
            }
        }
        for &v in &free {
            if !inputs.contains(&signals[v]) {
                inputs.push(signals[v]);
            }
        }
        let place = |s: Signal| inputs.iter().position(|x| *x == s).unwrap_or(0);
        let free_places: Vec<usize> = free.iter().map(|&v| place(signals[v])).collect();
        let code_places: Vec<(usize, bool, bool)> = made
            .iter()
            .map(|o| match o {
                Output::Const(c) => (usize::MAX, *c, false),
                Output::Wire(s, inverted) => (place(*s), false, *inverted),
            })
            .collect();
        let size = 1usize << inputs.len();
        let mut outer = vec![vec![0u64; size.div_ceil(64)]; ts.len()];
        for i in 0..size {
            let mut code = 0usize;
            for (k, &(p, constant, inverted)) in code_places.iter().enumerate() {
                let bit = if p == usize::MAX { constant } else { (i >> p & 1 == 1) != inverted };
                code |= usize::from(bit) << k;
            }
            let mut at = 0usize;
            for (k, &v) in bound.iter().enumerate() {
                at |= (example[code] >> k & 1) << v;
            }
            for (&v, &p) in free.iter().zip(&free_places) {
                at |= (i >> p & 1) << v;
            }
            for (o, t) in outer.iter_mut().zip(ts) {
                if get(t, at) {
                    set(o, i);
                }
            }
        }
        Some(self.make(outer, &inputs))
    }
}

/// A function over the variables it depends on only.
fn restrict(t: &[u64], inputs: usize, support: &[usize]) -> Truth {
    if support.len() == inputs {
        return t.to_vec();
    }
    let mut out = vec![0u64; (1usize << support.len()).div_ceil(64)];
    for i in 0..1usize << support.len() {
        let at = support.iter().enumerate().fold(0, |at, (k, &v)| at | (i >> k & 1) << v);
        if get(t, at) {
            set(&mut out, i);
        }
    }
    normalize(&mut out, support.len());
    out
}

/// Groups of bits that an encoding may take: runs, and runs of every second bit.
fn candidates(n: usize) -> Vec<Vec<usize>> {
    let mut list = Vec::new();
    for size in (3..=6.min(n - 1)).rev() {
        for first in 0..n {
            for step in 1..=if n > 10 { 1 } else { 2 } {
                let mut group: Vec<usize> = (0..size).map(|k| (first + k * step) % n).collect();
                group.sort_unstable();
                group.dedup();
                if group.len() == size && !list.contains(&group) {
                    list.push(group);
                }
            }
        }
    }
    list
}

/// The distinct columns of functions for a group of bits: a number for every value of the group, and how many there are. They
/// are numbered by how many ones they have, so that sums are coded by their size. `None` where there are more than `most`.
fn columns(ts: &[Truth], n: usize, bound: &[usize], most: usize) -> Option<(Vec<u32>, usize)> {
    let free: Vec<usize> = (0..n).filter(|v| !bound.contains(v)).collect();
    let spread = |i: usize, vars: &[usize]| vars.iter().enumerate().fold(0, |at, (k, &v)| at | (i >> k & 1) << v);
    let rest: Vec<usize> = (0..1usize << free.len()).map(|i| spread(i, &free)).collect();
    let mut first: HashMap<Vec<u64>, u32> = HashMap::new();
    let mut contents: Vec<u32> = Vec::new();
    let mut ids = Vec::with_capacity(1 << bound.len());
    let words = rest.len().div_ceil(64);
    for i in 0..1usize << bound.len() {
        let base = spread(i, bound);
        let mut column = vec![0u64; words * ts.len()];
        for (t, part) in ts.iter().zip(column.chunks_mut(words)) {
            for (k, r) in rest.iter().enumerate() {
                part[k >> 6] |= u64::from(get(t, base | r)) << (k & 63);
            }
        }
        let ones = column.iter().map(|w| w.count_ones()).sum();
        let next = contents.len() as u32;
        let id = *first.entry(column).or_insert(next);
        if id == next {
            contents.push(ones);
            if contents.len() > most {
                return None;
            }
        }
        ids.push(id);
    }
    let mut order: Vec<u32> = (0..contents.len() as u32).collect();
    order.sort_by_key(|&k| (contents[k as usize], k));
    let mut rank = vec![0u32; contents.len()];
    for (r, &k) in order.iter().enumerate() {
        rank[k as usize] = r as u32;
    }
    Some((ids.into_iter().map(|id| rank[id as usize]).collect(), contents.len()))
}

/// The network of a table: `words` has two to the power of `inputs` entries, of which the low `width` bits count.
pub(crate) fn network(inputs: usize, width: u32, words: &[i64]) -> Network {
    let size = 1usize << inputs;
    let mut truths = vec![vec![0u64; size.div_ceil(64)]; width as usize];
    for (i, w) in words.iter().enumerate() {
        for (k, t) in truths.iter_mut().enumerate() {
            if w >> k & 1 == 1 {
                set(t, i);
            }
        }
    }
    let signals: Vec<Signal> = (0..inputs as u8).map(Signal::Input).collect();
    let mut b = Builder::default();
    let outputs = b.make(truths, &signals);
    let mut net = Network { luts: b.luts, outputs };
    prune(&mut net);
    net
}

/// Drops lookup tables that nothing reads.
fn prune(net: &mut Network) {
    let mut live = vec![false; net.luts.len()];
    for o in &net.outputs {
        if let Output::Wire(Signal::Lut(k), _) = o {
            live[usize::from(*k)] = true;
        }
    }
    for i in (0..net.luts.len()).rev() {
        if live[i] {
            for s in &net.luts[i].inputs {
                if let Signal::Lut(k) = s {
                    live[usize::from(*k)] = true;
                }
            }
        }
    }
    let mut map = vec![0u16; net.luts.len()];
    let mut kept: Vec<Lut> = Vec::new();
    let move_to = |s: &mut Signal, map: &[u16]| {
        if let Signal::Lut(k) = s {
            *k = map[usize::from(*k)];
        }
    };
    for (i, mut l) in std::mem::take(&mut net.luts).into_iter().enumerate() {
        if live[i] {
            l.inputs.iter_mut().for_each(|s| move_to(s, &map));
            map[i] = kept.len() as u16;
            kept.push(l);
        }
    }
    net.luts = kept;
    for o in &mut net.outputs {
        if let Output::Wire(s, _) = o {
            move_to(s, &map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cse::mix;

    fn checked(inputs: usize, width: u32, f: impl Fn(usize) -> i64) -> Network {
        let words: Vec<i64> = (0..1usize << inputs).map(f).collect();
        let net = network(inputs, width, &words);
        for (i, w) in words.iter().enumerate() {
            assert_eq!(net.eval(i), *w as u64 & ((1 << width) - 1), "index {i} of {net:?}");
        }
        assert!(net.luts.iter().all(|l| l.inputs.len() <= 6));
        net
    }

    #[test]
    fn prices_of_known_functions() {
        let ones = |i: usize| i64::from(i.count_ones());
        assert_eq!(checked(6, 3, ones).luts.len(), 3);
        assert_eq!(checked(4, 4, |i| i as i64).luts.len(), 0);
        assert_eq!(checked(4, 4, |i| !(i as i64)).luts.len(), 0);
        assert_eq!(checked(6, 2, |i| -i64::from(i > 40)).luts.len(), 1);
        // Parity of eleven bits: two levels.
        let parity = checked(11, 1, |i| ones(i) & 1);
        assert_eq!((parity.luts.len(), parity.levels()), (2, 2));
        // Eight bits at least five: three tables count six bits' ones, one decides.
        assert!(checked(8, 1, |i| i64::from(ones(i) >= 5)).luts.len() <= 4);
        assert!(checked(12, 1, |i| i64::from(i >= 1234)).luts.len() <= 4);
        // A random function of eight bits: four tables and a selection.
        assert!(checked(8, 1, |i| (mix(i as u64) & 1) as i64).luts.len() <= 5);
    }

    #[test]
    fn random_functions_are_exact() {
        for inputs in 0..13 {
            for width in 1..4 {
                checked(inputs, width, |i| (mix(i as u64 + 77 * u64::from(width)) >> 20) as i64);
                checked(inputs, width, |i| (i as i64 * 3 - 11) >> 2);
            }
        }
    }
}
