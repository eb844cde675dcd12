//! Tables: any function of a few bits of earlier nodes.

use super::graph::NodeId;
use serde::{Deserialize, Serialize};

/// One bit of a node's two's complement word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BitRef {
    /// The node read.
    pub node: NodeId,
    /// The bit, below the node's width.
    pub bit: u32,
}

/// A function of up to [`Table::MAX_BITS`] bits: `words[i]`, where bit `k` of `i` is the value of `bits[k]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Table {
    /// The bits that form the index, lowest first.
    pub bits: Vec<BitRef>,
    /// The values, two to the power of the number of bits. Entries that no input reaches may hold anything in the node's
    /// interval.
    pub words: Vec<i64>,
}

impl Table {
    /// The most bits of an index.
    pub const MAX_BITS: usize = 14;

    /// The result for given values of all nodes.
    pub fn eval(&self, values: &[i64]) -> i64 {
        let bit = |b: &BitRef| (values[b.node.index()] >> b.bit) & 1;
        let index = self.bits.iter().enumerate().fold(0, |i, (k, b)| i | bit(b) << k);
        self.words[index as usize]
    }

    /// The nodes that are read, each once, in ascending order.
    pub fn nodes(&self) -> Vec<NodeId> {
        let mut list: Vec<NodeId> = self.bits.iter().map(|b| b.node).collect();
        list.sort_unstable();
        list.dedup();
        list
    }
}
