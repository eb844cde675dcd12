//! A directed acyclic graph of named nodes with ordered inputs, over petgraph's `StableDiGraph`.
//!
//! Both the network and the integer level use it: one node is one operator with exactly one result tensor, an edge
//! `producer -> consumer` carries the index of the consumer's input port. Node names are unique and stable; raw petgraph
//! indices stay behind [`NodeId`].

use crate::diag::{Code, Diag};
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use std::collections::{HashMap, HashSet};

/// Handle of a node; valid for the graph that made it until the node is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(NodeIndex);

impl NodeId {
    /// A dense-ish index for side tables: below [`Graph::index_bound`].
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// What a node must tell the graph.
pub trait Named {
    /// The unique name.
    fn name(&self) -> &str;
}

/// The graph. `N` is the node payload.
#[derive(Debug, Clone)]
pub struct Graph<N> {
    inner: StableDiGraph<N, usize>,
    by_name: HashMap<String, NodeId>,
}

impl<N> Default for Graph<N> {
    fn default() -> Self {
        Graph { inner: StableDiGraph::new(), by_name: HashMap::new() }
    }
}

impl<N: Named> Graph<N> {
    /// An empty graph.
    pub fn new() -> Graph<N> {
        Graph::default()
    }

    /// Adds a node fed by `inputs`, in port order. The same producer may appear twice. A name already taken is an error.
    pub fn add(&mut self, node: N, inputs: &[NodeId]) -> Result<NodeId, Diag> {
        let name = node.name().to_string();
        if self.by_name.contains_key(&name) {
            return Err(Diag::internal(name, "two nodes of this name"));
        }
        let id = NodeId(self.inner.add_node(node));
        for (port, input) in inputs.iter().enumerate() {
            self.inner.add_edge(input.0, id.0, port);
        }
        self.by_name.insert(name, id);
        Ok(id)
    }

    /// A name not yet in use: `base`, or `base` with the first free numeric suffix.
    pub fn fresh_name(&self, base: &str) -> String {
        if !self.by_name.contains_key(base) {
            return base.to_string();
        }
        (1usize..).map(|i| format!("{base}_{i}")).find(|n| !self.by_name.contains_key(n)).unwrap_or_default()
    }

    /// The node called `name`.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// Whether a node is still in the graph.
    pub fn contains(&self, id: NodeId) -> bool {
        self.inner.contains_node(id.0)
    }

    /// Payload of a node.
    pub fn node(&self, id: NodeId) -> &N {
        &self.inner[id.0]
    }

    /// Mutable payload of a node; its name must stay as it is.
    pub fn node_mut(&mut self, id: NodeId) -> &mut N {
        &mut self.inner[id.0]
    }

    /// Producers of a node's inputs, in port order.
    pub fn inputs(&self, id: NodeId) -> Vec<NodeId> {
        let mut edges: Vec<(usize, NodeId)> =
            self.inner.edges_directed(id.0, Direction::Incoming).map(|e| (*e.weight(), NodeId(e.source()))).collect();
        edges.sort_unstable_by_key(|(port, _)| *port);
        edges.into_iter().map(|(_, n)| n).collect()
    }

    /// Consumers of a node with the port that it feeds, ordered by node and port.
    pub fn consumers(&self, id: NodeId) -> Vec<(NodeId, usize)> {
        let mut edges: Vec<(NodeId, usize)> =
            self.inner.edges_directed(id.0, Direction::Outgoing).map(|e| (NodeId(e.target()), *e.weight())).collect();
        edges.sort_unstable();
        edges
    }

    /// Makes every consumer of `old` (except `new` itself) read `new` instead.
    pub fn replace_uses(&mut self, old: NodeId, new: NodeId) {
        for (consumer, port) in self.consumers(old) {
            if consumer != new {
                self.set_input(consumer, port, new);
            }
        }
    }

    /// Makes input `port` of `consumer` read `producer`.
    pub fn set_input(&mut self, consumer: NodeId, port: usize, producer: NodeId) {
        let old: Vec<_> = self
            .inner
            .edges_directed(consumer.0, Direction::Incoming)
            .filter(|e| *e.weight() == port)
            .map(|e| e.id())
            .collect();
        for e in old {
            self.inner.remove_edge(e);
        }
        self.inner.add_edge(producer.0, consumer.0, port);
    }

    /// Removes a node and its edges.
    pub fn remove(&mut self, id: NodeId) -> Option<N> {
        let node = self.inner.remove_node(id.0)?;
        self.by_name.remove(node.name());
        Some(node)
    }

    /// All nodes in insertion order (removed slots skipped).
    pub fn ids(&self) -> Vec<NodeId> {
        self.inner.node_indices().map(NodeId).collect()
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the largest [`NodeId::index`].
    pub fn index_bound(&self) -> usize {
        self.inner.node_indices().map(|i| i.index() + 1).max().unwrap_or(0)
    }

    /// Nodes so that producers come before consumers; ties in insertion order. A cycle is an error naming a node on it.
    pub fn topological(&self) -> Result<Vec<NodeId>, Diag> {
        let mut missing = vec![0usize; self.index_bound()];
        let mut ready = std::collections::BinaryHeap::new();
        for id in self.ids() {
            let n = self.inner.edges_directed(id.0, Direction::Incoming).count();
            missing[id.index()] = n;
            if n == 0 {
                ready.push(std::cmp::Reverse(id));
            }
        }
        let mut order = Vec::with_capacity(self.len());
        while let Some(std::cmp::Reverse(id)) = ready.pop() {
            order.push(id);
            for e in self.inner.edges_directed(id.0, Direction::Outgoing) {
                let m = &mut missing[e.target().index()];
                *m -= 1;
                if *m == 0 {
                    ready.push(std::cmp::Reverse(NodeId(e.target())));
                }
            }
        }
        if order.len() == self.len() {
            return Ok(order);
        }
        let done: HashSet<NodeId> = order.into_iter().collect();
        let name = self.ids().into_iter().find(|i| !done.contains(i)).map(|i| self.node(i).name().to_string());
        Err(Diag::new(Code::Invalid, name.unwrap_or_default(), "the node depends on its own result")
            .help("networks must be acyclic; recurrent loops are not supported as raw graphs"))
    }

    /// Removes every node from which none of `roots` can be reached.
    pub fn retain_reaching(&mut self, roots: &[NodeId]) {
        let mut keep = HashSet::new();
        let mut stack = roots.to_vec();
        while let Some(id) = stack.pop() {
            if keep.insert(id) {
                stack.extend(self.inputs(id));
            }
        }
        for id in self.ids() {
            if !keep.contains(&id) {
                self.remove(id);
            }
        }
    }
}
